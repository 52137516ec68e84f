"""The http_client module against an HTTP server that keeps what it was asked, on the clear network and through a proxy."""
import base64
import gzip
import re
import time

import pytest


# -- requests ----------------------------------------------------------------------------------------------------------------

def test_methods(client, site):
    s = site()
    options = {"body": "data"}
    methods = ["get", "post", "put", "patch", "delete", "head"]
    got = client([*[[m, s.url + "/" + m] for m in methods], *[[m, s.url + "/b", options] for m in methods[:5]],
                  ["request", "propfind", s.url + "/x"], ["request", "PURGE", s.url + "/x", options]])
    assert [g["status"] for g in got] == [200] * len(got)
    assert [(a.method, a.body) for a in s.asked] == [*[(m.upper(), b"") for m in methods], *[(m.upper(), b"data") for m in methods[:5]],
                                                     ("PROPFIND", b""), ("PURGE", b"data")]
    # A method that is meant to carry a body says that there is none.
    assert [a.header("Content-Length") for a in s.asked[:6]] == [[], ["0"], ["0"], ["0"], [], []]
    # The server closed nothing and everything went over one connection.
    assert s.connections == 1


def test_arguments_of_the_wrong_kind_are_raised(client):
    url = "http://127.0.0.1:9/"
    cases = [(["get"], "string expected"), (["get", ""], "URL required"), (["get", url, "x"], "table expected"),
             (["request", "", url], "method required"), (["request", "GET"], "string expected"), (["request", "GET", ""], "URL required"),
             (["request_batch"], ""), (["request_batch", []], "requests table cannot be empty"), (["encode_uri"], "string expected")]
    for (case, words), got in zip(cases, client([c for c, _ in cases])):
        assert words in got["raised"], (case, got)


def test_options_of_the_wrong_type_are_ignored(client, site):
    s = site()
    bad = {"headers": "x", "body": {"a": 1}, "timeout": True, "overlay_network": 7, "query": 3, "form": "f", "files": "f", "cookies": 1,
           "auth": "a", "stream": "yes", "max_response_body": "1", "tls": "no", "unix_socket": False, "nonsense": 1}
    pairs = {"headers": {"X-A": 1, "X-B": "b"}, "query": {"page": 1, "q": "b"}, "cookies": {"a": 1, "b": "2"}}
    got = client([["post", s.url + "/", bad], ["get", s.url + "/", pairs]])
    assert [g["status"] for g in got] == [200, 200]
    assert (s.asked[0].body, s.asked[0].path) == (b"", "/")
    second = s.asked[1]
    assert (second.path, second.header("X-A"), second.header("X-B"), second.header("Cookie")) == ("/?q=b", [], ["b"], ["b=2"])


def test_query(client, site):
    s = site()
    client([["get", s.url + "/p?b=2&a=1&b=3#frag"], ["get", s.url + "/p?b=2&a=1&b=3", {"query": {"b": "x y", "c": "é&="}}],
            ["get", s.url + "/p", {"query": {"q": ""}}], ["get", s.url + "/a%2Fb/%7E", {"query": {}}]])
    assert [a.path for a in s.asked] == ["/p?b=2&a=1&b=3", "/p?a=1&b=x+y&c=%C3%A9%26%3D", "/p?q=", "/a%2Fb/%7E"]


def test_form(client, site):
    s = site()
    client([["post", s.url, {"form": {"b": "2 2", "a": "é"}, "body": "ignored"}],
            ["post", s.url, {"form": {}, "body": "used"}],
            ["post", s.url, {"form": {"a": "1"}, "headers": {"Content-Type": "text/plain"}}]])
    form, body, own = s.asked
    assert (form.body, form.header("Content-Type")) == (b"a=%C3%A9&b=2+2", ["application/x-www-form-urlencoded"])
    assert (body.body, body.header("Content-Type"), body.header("Content-Length")) == (b"used", [], ["4"])
    assert own.header("Content-Type") == ["text/plain"]


def test_files(client, site):
    s = site()
    files = [{"name": "one", "filename": 'a"b.txt', "content": "first"}, {"filename": "no-name", "content": "skipped"},
             {"name": "empty", "content": ""}, {"name": "two", "content": "second", "content_type": "text/html"}]
    client([["post", s.url, {"files": files, "form": {"field": "value"}, "body": "ignored"}]])
    (asked,) = s.asked
    boundary = re.fullmatch(r"multipart/form-data; boundary=(\S+)", asked.header("Content-Type")[0]).group(1).encode()
    parts = asked.body.split(b"--" + boundary)
    assert parts[0] == b"" and parts[-1] == b"--\r\n" and len(parts) == 5
    assert b'name="field"' in parts[1] and parts[1].endswith(b"\r\n\r\nvalue\r\n")
    assert b'name="one"; filename="a' in parts[2] and parts[2].endswith(b"\r\n\r\nfirst\r\n") and b'a"b' not in parts[2]
    assert b'name="two"; filename=""' in parts[3] and parts[3].endswith(b"\r\n\r\nsecond\r\n")
    assert all(b"Content-Type: application/octet-stream" in p for p in parts[2:4])


def test_headers(client, site):
    s = site()
    own = {"x-request-ID": "7", "Host": "other.example", "Content-Length": "99", "Transfer-Encoding": "chunked", "Trailer": "x"}
    client([["post", s.url, {"headers": own, "body": "abc"}], ["get", s.url, {"headers": {"User-Agent": "me/1"}}],
            ["get", s.url, {"headers": {"User-Agent": ""}}], ["get", s.url, {"headers": {"Accept-Encoding": "identity"}}]])
    first = s.asked[0]
    assert ("X-Request-Id", "7") in first.headers
    assert first.header("Host") == [f"127.0.0.1:{s.port}"]
    assert (first.header("Content-Length"), first.header("Transfer-Encoding"), first.header("Trailer")) == (["3"], [], [])
    assert (first.header("Expect"), first.header("Accept-Encoding")) == ([], ["gzip"])
    assert len(first.header("User-Agent")) == 1 and "curl" not in first.header("User-Agent")[0]
    assert [a.header("User-Agent") for a in s.asked[1:3]] == [["me/1"], []]
    assert s.asked[3].header("Accept-Encoding") == ["identity"]


@pytest.mark.parametrize("headers", [{"Bad Name": "x"}, {"": "x"}, {"X": "a\r\nInjected: 1"}, {"X": "a\nb"}, {"X\r\nInjected": "1"}, {"X": "a\0b"}])
def test_headers_that_would_break_the_message(client, site, headers):
    s = site()
    (got,) = client([["get", s.url, {"headers": headers}]])
    assert (got.get("kind"), "header" in got.get("error", "")) == ("Internal", True), got
    assert s.asked == []


@pytest.mark.parametrize("method", ["GE T", "GET\r\nX: y", "G(T", "é"])
def test_methods_that_would_break_the_message(client, site, method):
    s = site()
    (got,) = client([["request", method, s.url]])
    assert "invalid method" in got["error"] and s.asked == [], got


def test_cookies_and_auth(client, site):
    s = site()
    url = s.url.replace("://", "://in:url%20x@")
    client([["get", s.url, {"cookies": {"a": 'x;y"z'}, "headers": {"Cookie": "first=1"}}],
            ["get", s.url, {"auth": {"user": "u", "pass": "p:q"}, "headers": {"Authorization": "Bearer t"}}],
            ["get", s.url, {"auth": {"user": "", "pass": "p"}}], ["get", s.url, {"auth": {"user": "u"}}],
            ["get", url], ["get", url, {"headers": {"Authorization": "Bearer t"}}]])
    assert s.asked[0].header("Cookie") == ["first=1; a=xyz"]
    basic = ["Basic " + base64.b64encode(t).decode() for t in (b"u:p:q", b"u:", b"in:url x")]
    assert [a.header("Authorization") for a in s.asked[1:]] == [[basic[0]], [], [basic[1]], [basic[2]], ["Bearer t"]]


# -- responses -----------------------------------------------------------------------------------------------------------------

def test_the_response_table(client, site):
    several = [("Set-Cookie", "a=1; Path=/"), ("Set-Cookie", "b=2"), ("Set-Cookie", "a=3; HttpOnly"), ("x-multi", "one"), ("x-multi", "two"),
               ("etag", '"e"')]
    s = site({"/many": (201, several, b"body"), "/none": (204, {}, b""), "/bad": (503, {}, b"down")})
    many, none, head, bad = client([["get", s.url + "/many?q=1"], ["get", s.url + "/none"], ["head", s.url + "/many"], ["get", s.url + "/bad"]])
    assert (many["status"], many["body"], many["size"], many["url"]) == (201, "body", 4, s.url + "/many?q=1")
    assert many["cookies"] == {"a": "3", "b": "2"}
    assert (many["headers"]["X-Multi"], many["headers"]["Etag"], many["headers"]["Content-Length"]) == ("one", '"e"', "4")
    assert ("body" in none, none["size"], "cookies" in none) == (False, 0, False)
    assert ("body" in head, head["size"], head["status"]) == (False, 0, 201)
    # Not an error: it is an answer.
    assert (bad["status"], bad["body"]) == (503, "down")
    # Nothing is remembered between requests.
    assert all(a.header("Cookie") == [] for a in s.asked)


def test_gzip(client, site):
    packed = gzip.compress(b"x" * 100000)
    s = site({"/z": (200, {"Content-Encoding": "gzip", "X-Other": "stays"}, packed), "/broken": (200, {"Content-Encoding": "gzip"}, b"no gzip at all"),
              "/deflate": (200, {"Content-Encoding": "deflate"}, b"as it is")})
    z, own, broken, other = client([["get", s.url + "/z"], ["get", s.url + "/deflate", {"headers": {"Accept-Encoding": "deflate"}}],
                                    ["get", s.url + "/broken"], ["get", s.url + "/deflate"]])
    assert (z["size"], z["body"]) == (100000, "x" * 100000)
    assert z["headers"] == {"X-Other": "stays"}
    assert (own["body"], own["headers"]["Content-Encoding"]) == ("as it is", "deflate")
    assert broken["code"] == "bad_encoding", broken
    # Not asked for, so not ours to decode.
    assert (other["body"], other["headers"]["Content-Encoding"]) == ("as it is", "deflate")


def test_the_cap_of_a_body_counts_decoded_bytes(client, site):
    packed = gzip.compress(b"x" * 100000)
    s = site({"/z": (200, {"Content-Encoding": "gzip"}, packed), "/plain": (200, {}, b"x" * 1000)})
    results = client([["get", s.url + "/plain", {"max_response_body": 1000}], ["get", s.url + "/plain", {"max_response_body": 999}],
                      ["get", s.url + "/z", {"max_response_body": 99999}], ["get", s.url + "/z", {"max_response_body": 0}]])
    assert [r.get("size") for r in results] == [1000, None, None, 100000]
    assert "response body too large (max 999 bytes)" in results[1]["error"] and results[1]["code"] == "body_too_large"
    assert "response body too large (max 99999 bytes)" in results[2]["error"]


# -- redirects -----------------------------------------------------------------------------------------------------------------

def hop(status, to):
    return (status, {"Location": to}, b"moved")


def test_redirect_methods(client, site):
    s = site({f"/{n}": hop(n, "/end?x#f") for n in (301, 302, 303, 307, 308)} | {"/none": (302, {}, b"stay"), "/300": hop(300, "/end")})
    calls = [["post", f"{s.url}/{n}", {"body": "data", "headers": {"Content-Type": "text/plain"}}] for n in (301, 302, 303, 307, 308)]
    got = client([*calls, ["head", s.url + "/302"], ["get", s.url + "/none"], ["get", s.url + "/300"]])
    assert [g["url"] for g in got[:6]] == [s.url + "/end?x#f"] * 6
    ends = [a for a in s.asked if a.path.startswith("/end")]
    assert [(a.method, a.body) for a in ends] == [("GET", b"")] * 3 + [("POST", b"data")] * 2 + [("HEAD", b"")]
    assert [bool(a.header("Content-Type")) for a in ends] == [False] * 3 + [True] * 2 + [False]
    assert [(g["status"], g["body"]) for g in got[6:]] == [(302, "stay"), (300, "moved")]


def test_ten_redirects_and_no_more(client, site):
    routes = {f"/{n}": hop(302, f"/{n - 1}") for n in range(1, 12)}
    s = site(routes)
    ten, eleven = client([["get", s.url + "/10"], ["get", s.url + "/11"]])
    assert (ten["status"], ten["body"]) == (200, "ok")
    assert "stopped after 10 redirects" in eleven["error"] and eleven["code"] == "redirect_limit"
    assert eleven["error"].startswith('Get "')


def test_credentials_do_not_follow_to_another_host(client, site):
    """Another name is another host; another port of the same host is not."""
    other = site()
    s = site({"/away": hop(302, f"http://localhost:{other.port}/away"), "/port": hop(302, other.url + "/same-host")})
    options = {"headers": {"Authorization": "Bearer secret", "Cookie": "a=1", "X-Other": "stays"}}
    calls = [["get", s.url + "/port", options], ["get", s.url.replace("://", "://u:p@") + "/port"]]
    if client.network == "direct":
        calls.append(["get", s.url + "/away", options])
    client(calls)
    first = other.asked[0]
    assert (first.header("Authorization"), first.header("Cookie"), first.header("X-Other")) == (["Bearer secret"], ["a=1"], ["stays"])
    assert all("u:p" not in str(a.header("Referer")) for a in other.asked)
    if client.network == "direct":
        away = other.asked[2]
        assert (away.header("Authorization"), away.header("Cookie"), away.header("X-Other")) == ([], [], ["stays"])


# -- time ----------------------------------------------------------------------------------------------------------------------

def test_timeouts_and_their_words(client, site):
    def late(handler, asked):
        time.sleep(1)
        return 200, {}, b"late"

    def half(handler, asked):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        time.sleep(1)
    s = site({"/late": late, "/half": half})
    headers, body, number, fraction = client([["get", s.url + "/late", {"timeout": "200ms"}], ["get", s.url + "/half", {"timeout": "200ms"}],
                                              ["get", s.url + "/late", {"timeout": 5}], ["get", s.url + "/late", {"timeout": 0.2}]])
    assert headers["error"] == (f'Get "{s.url}/late": context deadline exceeded (Client.Timeout exceeded while awaiting headers); '
                                "phase: response headers")
    assert "Client.Timeout or context cancellation while reading body" in body["error"]
    assert number["status"] == 200 and fraction["code"] == "timeout_headers"
    assert (headers["kind"], headers["retryable"]) == ("Internal", True)


@pytest.mark.parametrize("timeout", ["5", "", "-1s", "0", "nonsense", 0, -3])
def test_a_timeout_that_says_nothing_is_the_default(client, site, timeout):
    def late(handler, asked):
        time.sleep(0.3)
        return 200, {}, b"late"
    (got,) = client([["get", site({"/": late}).url + "/", {"timeout": timeout}]])
    assert got["status"] == 200


def test_the_timeout_covers_all_hops(client, site):
    def slow(handler, asked):
        time.sleep(0.15)
        return hop(302, "/" + str(int(asked.path[1:]) + 1))
    (got,) = client([["get", site({f"/{n}": slow for n in range(1, 9)}).url + "/1", {"timeout": "400ms"}]])
    assert got["code"] == "timeout_headers", got


# -- errors --------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("url, words", [
    ("ftp://127.0.0.1/", 'unsupported protocol scheme "ftp"'), ("127.0.0.1:80", "first path segment in URL cannot contain colon"),
    ("/only/a/path", 'unsupported protocol scheme ""'), ("http://", "no Host in request URL"), ("http:///path", "no Host in request URL"),
    ("http://a b/", 'parse "http://a b/"'), ("http://127.0.0.1:99999/", "port"), ("http://[::1/", "parse"), ("http://x/%zz", "parse"),
    ("file:///etc/passwd", 'unsupported protocol scheme "file"'), ("gopher://x/", 'unsupported protocol scheme "gopher"')])
def test_urls_that_cannot_be_asked(client, url, words):
    (got,) = client([["get", url]])
    assert words in got["error"], got
    assert (got["kind"], got["retryable"]) == ("Internal", True)


def test_the_password_of_a_url_is_masked(client, nobody):
    got, post = client([["get", f"http://user:hunter2@127.0.0.1:{nobody}/x"], ["request", "propfind", f"http://127.0.0.1:{nobody}/"]])
    assert got["error"].startswith(f'Get "http://user:***@127.0.0.1:{nobody}/x": ') and "hunter2" not in got["error"], got
    assert "connection refused" in got["error"]
    assert post["error"].startswith(f'Propfind "http://127.0.0.1:{nobody}/": ')


def test_a_dead_kept_alive_connection_is_tried_again_only_where_that_is_safe(client, peer):
    """The server closes after each answer without saying so."""
    def one(s):
        s.recv(65536)
        s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        s.close()
    p = peer(one)
    got = client([["get", f"http://127.0.0.1:{p.port}/"]] * 5)
    assert [g.get("body") for g in got] == ["ok"] * 5, got


# -- batches, streams, text --------------------------------------------------------------------------------------------------------

BATCH = """
local function main(url)
  local function shown(rs, errs)
    local out = {}
    for i = 1, 4 do
      out[i] = rs[i] and rs[i].body or errs and errs[i] and ("failed: " .. errs[i]:kind()) or "nothing"
    end
    return out
  end
  local rs, errs = http_client.request_batch({ { "GET", url .. "/1" }, { "post", url .. "/2", { body = "x" } }, { "GET", url .. "/3" },
    { "get", url .. "/4", "no table" } })
  say({ all = shown(rs, errs), none = errs == nil })
  say({ some = shown(http_client.request_batch({ { "GET", url .. "/1" }, { "GET", "http://127.0.0.1:1/" }, { "GET", url .. "/3" },
    { "GET", "ftp://x/" } })) })
  local bad = { { "x" }, { { 1, url } }, { { "GET", 1 } }, { { "GET", url, { stream = true } } } }
  for _, b in ipairs(bad) do
    local r, e = http_client.request_batch(b)
    say({ kind = e:kind(), message = e:message() })
  end
end
"""


def test_batches(lua, site, slower):
    def slowly(handler, asked):
        time.sleep(0.4)
        return 200, {}, asked.path.encode()
    s = site({f"/{n}": slowly for n in range(1, 5)})
    r = lua(BATCH, s.url)
    every, some, *bad = r.values
    assert every == {"all": ["/1", "/2", "/3", "/4"], "none": True}
    assert some["some"] == ["/1", "failed: Internal", "/3", "failed: Internal"]
    assert [b["message"] for b in bad] == ["each request must be a table", "method must be a string", "URL must be a string",
                                           "streaming not supported in batch requests"]
    assert {b["kind"] for b in bad} == {"Invalid"}
    # Side by side, not one after the other; and the bad ones sent nothing.
    assert r.seconds < 1.6 * slower and len(s.asked) == 6


STREAM = """
local function main(url)
  local resp, err = http_client.get(url, { stream = true, timeout = "10s" })
  say({ status = resp.status_code, size = resp.body_size, body = resp.body })
  local total, reads, largest = 0, 0, 0
  while true do
    local chunk, e = resp.stream:read(1000)
    if e then say({ error = tostring(e), kind = e:kind() }) break end
    if not chunk then break end
    total, reads, largest = total + #chunk, reads + 1, math.max(largest, #chunk)
  end
  local closed = resp.stream:close()
  local late, late_err = resp.stream:read()
  say({ total = total, enough = reads >= total / 1000, largest = largest, closed = closed, late = tostring(late_err) })
end
"""


def test_streams(lua, site):
    s = site({"/big": (200, {}, b"z" * 300000)})
    first, last = lua(STREAM, s.url + "/big").values
    assert first == {"status": 200, "size": -1}
    assert (last["total"], last["enough"], last["closed"]) == (300000, True, True) and last["largest"] <= 1000, last
    assert "stream not found" in last["late"]


def test_a_stream_longer_than_its_timeout_is_cut(lua, peer, slower):
    def endless(s):
        s.recv(65536)
        s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        for _ in range(100):
            s.sendall(b"x" * 10)
            time.sleep(0.05)
    p = peer(endless)
    r = lua(STREAM.replace("10s", "400ms"), f"http://127.0.0.1:{p.port}/")
    assert "stream read" in r.stdout and "Client.Timeout or context cancellation while reading body" in r.stdout, r
    assert r.seconds < 3 * slower and p.wait_closed(1)


def test_text_functions(lua):
    code = """
local function main()
  say({ http_client.encode_uri("a b&c/é-_.~"), http_client.decode_uri("a+b%26%c3%A9"), http_client.encode_uri(""), http_client.decode_uri("") })
  for _, bad in ipairs({ "%zz", "%", "%4", "a%4" }) do
    local v, err = http_client.decode_uri(bad)
    say({ v = v, kind = err:kind(), message = err:message(), retryable = err:retryable() })
  end
  say({ read_only = not pcall(function() http_client.get = 1 end) })
end
"""
    r = lua(code)
    assert r.values[0] == ["a+b%26c%2F%C3%A9-_.~", "a b&é", "", ""]
    assert [v["message"] for v in r.values[1:5]] == [f'invalid URL escape "{e}"' for e in ("%zz", "%", "%4", "%4")]
    assert {(v["kind"], v["retryable"], v.get("v")) for v in r.values[1:5]} == {("Invalid", False, None)}
    assert r.values[5] == {"read_only": True}


# -- the end of the asker ----------------------------------------------------------------------------------------------------------

KILLED = """
local function main()
  local pid = process.spawn("app:waiter", "app:processes", "URL", process.pid())
  process.inbox():receive()
  time.sleep("100ms")
  process.terminate(pid)
  io.print("terminated")
  time.sleep("5s")
end
"""
WAITER = """
local function main(url, boss)
  coroutine.spawn(function() http_client.get(url, { timeout = "60s" }) end)
  process.send(boss, "asked", true)
  time.sleep("60s")
end
"""


def test_a_request_ends_with_its_process(wippy, lua, peer):
    p = peer(lambda s: s.recv(65536))  # never answers
    folder = lua.write(KILLED.replace("URL", f"http://127.0.0.1:{p.port}/"), processes={"waiter": WAITER})
    with wippy.start(folder, "run", "go") as run:
        run.wait_for("terminated")
        assert p.connections == 1
        assert p.wait_closed(1, 3), "the server still has the connection"
        assert run.proc.poll() is None


def test_a_request_ends_with_its_call(wippy, lua, peer):
    """A call that returns while another coroutine of it waits for an answer."""
    p = peer(lambda s: s.recv(65536))
    code = f"""
local function main()
  say(funcs.call("app:leave", "http://127.0.0.1:{p.port}/"))
  time.sleep("5s")
end
"""
    leave = """
local function main(url)
  coroutine.spawn(function() http_client.get(url, { timeout = "60s" }) end)
  time.sleep("200ms")
  return "left"
end
"""
    with wippy.start(lua.write(code, functions={"leave": leave}), "run", "go") as run:
        run.wait_for("left")
        assert p.connections == 1 and p.wait_closed(1, 3)
        assert run.proc.poll() is None


def test_a_file_may_come_from_a_stream(lua, site):
    s = site({"/source": (200, {}, b"streamed")})
    lua(f"""
local function main()
  local source = http_client.get("{s.url}/source", {{ stream = true }})
  say(told(http_client.post("{s.url}/upload", {{ files = {{ {{ name = "f", reader = source.stream }} }} }})))
end
""")
    assert b"streamed" in s.asked[1].body, s.asked


def test_several_files_from_streams(lua, site):
    s = site({"/one": (200, {}, b"first" * 40000), "/two": (200, {}, b"second")})
    r = lua(f"""
local function open(path) return http_client.get("{s.url}" .. path, {{ stream = true }}).stream end
local function main()
  local files = {{ {{ name = "a", reader = open("/one") }}, {{ name = "b", content = "plain" }}, {{ name = "c", reader = open("/two") }} }}
  local options = {{ files = files }}
  http_client.request("put", "{s.url}/upload", options)
  say({{ kept = files[1].reader ~= nil and files[1].content == nil and options.files == files }})
end
""")
    assert r.only == {"kept": True}, r
    sent = s.asked[-1]
    assert sent.method == "PUT" and sent.body.count(b"first") == 40000 and b"plain" in sent.body and b"second" in sent.body


def test_a_file_whose_stream_breaks_sends_nothing(lua, site):
    s = site({"/source": (200, {}, b"streamed")})
    r = lua(f"""
local function main()
  local source = http_client.get("{s.url}/source", {{ stream = true }}).stream
  source:close()
  local resp, err = http_client.post("{s.url}/upload", {{ files = {{ {{ name = "f", reader = source }} }} }})
  say({{ resp = resp ~= nil, text = tostring(err) }})
end
""")
    assert r.only == {"resp": False, "text": "stream not found"} and len(s.asked) == 1, r
