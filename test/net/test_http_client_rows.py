"""http_client, row by row, where test_http_client.py does not look: streams, batches, the words of errors, phases of time, ends in each of
them, HTTP/2, redirects, kept-alive connections and `dispatcher.http`."""
import gzip
import shutil
import socket
import struct
import subprocess
import threading
import time
import zlib

import pytest

from certificates import Certificates


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


def silent(s):
    s.recv(65536)


def reply(text):
    def handle(s):
        s.recv(65536)
        s.sendall(text)
        s.close()
    return handle


# -- requests ----------------------------------------------------------------------------------------------------------------

def test_header_rows(client, site):
    s = site({"/z": (200, {"Content-Encoding": "gzip"}, gzip.compress(b"text"))})
    ranged, twice, typed = client([["get", s.url + "/z", {"headers": {"Range": "bytes=0-9"}}],
                                   ["get", s.url, {"headers": {"x-a": "1", "X-A": "2"}}],
                                   ["post", s.url, {"form": {"a": "1"}, "headers": {"content-type": "text/plain"}}]])
    # Who asks for a range gets the bytes of the coded form.
    assert s.asked[0].header("Accept-Encoding") == [] and ranged["headers"]["Content-Encoding"] == "gzip"
    assert sorted(s.asked[1].header("X-A")) == ["1", "2"] and twice["status"] == 200
    assert s.asked[2].header("Content-Type") == ["text/plain"] and typed["status"] == 200


def test_option_rows(client, site):
    s = site({"/4": (200, {}, b"x" * 4)})
    got = client([["post", s.url, {"files": [], "form": {"a": "1"}}], ["post", s.url, {"files": "no", "body": "b"}], ["post", s.url, {"body": ""}],
                  ["get", s.url + "/4", {"max_response_body": 0}], ["get", s.url + "/4", {"max_response_body": -1}],
                  ["get", s.url, {"auth": {"user": 1, "pass": "p"}}], ["get", s.url, {"auth": {"user": "u", "pass": 1}}],
                  ["get", s.url, {"tls": {"unknown": True}}], ["get", s.url, {"cookies": {"a b": "1", "c": "\x01\"2\\"}}],
                  ["delete", s.url, {"body": "d"}], ["get", s.url, {"timeout": "1m30s"}], ["get", s.url, {"overlay_network": ""}]])
    assert [g.get("status") for g in got] == [200] * len(got), got
    assert [a.body for a in s.asked[:3]] == [b"a=1", b"b", b""]
    assert [a.header("Authorization") for a in s.asked[5:7]] == [[], ["Basic dTo="]]
    assert "c=2" in s.asked[8].header("Cookie")[0].split("; ") and s.asked[9].body == b"d"


# -- redirects -----------------------------------------------------------------------------------------------------------------

def hop(status, to):
    return (status, {"Location": to}, b"")


def test_what_is_kept_and_dropped_between_hosts(lua, site):
    """Subdomains of the first host keep credentials; whoever leaves it does not get them back by returning."""
    s = site()
    names = {"/a": "sub.start.test", "/b": "other.test", "/c": "start.test"}
    s.routes.update({"/": hop(307, f"http://sub.start.test:{s.port}/a"), "/a": hop(307, f"http://other.test:{s.port}/b"),
                     "/b": hop(307, f"http://start.test:{s.port}/c")})
    with fake_proxy(s.port) as proxy:
        got = lua(f"""local function main() say(ask("http://u:p@start.test:{s.port}/",
          {{ headers = {{ Authorization = "Bearer t", Cookie = "a=1", Cookie2 = "b", ["Proxy-Authorization"] = "x", Other = "o" }} }})) end""",
                  overlays=[{"name": "proxy", "kind": "network.socks5", "host": "127.0.0.1", "port": proxy}],
                  config={"network_service": {"default_network": "app:proxy"}}).only
    assert got["status"] == 200 and got["url"] == f"http://start.test:{s.port}/c", got
    kept = [[bool(a.header(n)) for n in ("Authorization", "Cookie", "Cookie2", "Proxy-Authorization", "Other")] for a in s.asked]
    assert kept == [[True] * 5, [True] * 5, [False] * 4 + [True], [False] * 4 + [True]], (kept, names)
    # No password in where one came from.
    assert [a.header("Referer") for a in s.asked] == [[], [f"http://start.test:{s.port}/"], [f"http://sub.start.test:{s.port}/a"],
                                                      [f"http://other.test:{s.port}/b"]]


class fake_proxy:
    """A SOCKS5 proxy that leads every name to one port of this machine."""

    def __init__(self, port):
        self.target = port

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.serve, daemon=True).start()
        return self.listener.getsockname()[1]

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def serve(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.lead, args=(s,), daemon=True).start()

    def lead(self, s):
        s.recv(512)
        s.sendall(b"\x05\x00")
        s.recv(512)
        s.sendall(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
        far = socket.create_connection(("127.0.0.1", self.target))

        def copy(a, b):
            try:
                while data := a.recv(65536):
                    b.sendall(data)
                b.shutdown(socket.SHUT_WR)
            except OSError:
                pass
        threading.Thread(target=copy, args=(far, s), daemon=True).start()
        copy(s, far)


def test_from_tls_to_the_clear(client, site, certificates):
    """Neither credentials nor a Referer leave TLS, though the host is the same."""
    plain = site()
    s = site({"/": hop(302, plain.url + "/end")}, context=certificates.context())
    (got,) = client([["get", s.url + "/", {"tls": {"ca": certificates.text("ca.pem")},
                                           "headers": {"Authorization": "Bearer t", "Cookie": "a=1", "Other": "o"}}]])
    assert got["status"] == 200, got
    end = plain.asked[0]
    assert [end.header(n) for n in ("Authorization", "Cookie", "Referer", "Other")] == [[], [], [], ["o"]]


def test_locations(client, site):
    s = site({"/d/a": hop(302, "b?x=1"), "/d/b": hop(302, "../c"), "/c": hop(302, "//127.0.0.1:PORT/e#new"), "/frag": hop(302, "/end"),
              "/bad": hop(302, "http://[::1/"), "/scheme": hop(302, "ftp://127.0.0.1/")})
    s.routes["/c"] = hop(302, f"//127.0.0.1:{s.port}/e#new")
    a, frag, bad, scheme = client([["get", s.url + "/d/a"], ["get", s.url + "/frag#old"], ["get", s.url + "/bad"], ["get", s.url + "/scheme"]])
    assert [x.path for x in s.asked[:4]] == ["/d/a", "/d/b?x=1", "/c", "/e"]
    assert (a["url"], frag["url"]) == (s.url + "/e#new", s.url + "/end")
    assert "failed to parse Location header" in bad["error"] and 'unsupported protocol scheme "ftp"' in scheme["error"]


def test_hops_stay_on_the_unix_socket(lua, tmp_path):
    path = str(tmp_path / "s")
    asked = []

    def serve():
        for answer in (b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere.test/b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                       b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"):
            s, _ = listener.accept()
            asked.append(s.recv(65536).split(b"\r\n")[0:2])
            s.sendall(answer)
            s.close()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        threading.Thread(target=serve, daemon=True).start()
        r = lua(f'local function main() say(ask("http://start.test/a", {{ unix_socket = "{path}" }})) end')
    assert (r.only["body"], r.only["url"]) == ("ok", "http://elsewhere.test/b"), r
    assert asked == [[b"GET /a HTTP/1.1", b"Host: start.test"], [b"GET /b HTTP/1.1", b"Host: elsewhere.test"]]


# -- streams -------------------------------------------------------------------------------------------------------------------

def test_the_stream_object(lua, site):
    s = site({"/": (200, {}, b"one\ntwo\n" + b"x" * 200000)})
    r = lua(f"""
local function main()
  local stream = http_client.get("{s.url}/", {{ stream = true }}).stream
  local _, seek = stream:seek("set", 0)
  local _, write = stream:write("x")
  say({{ seek = tostring(seek), write = tostring(write), size = stream:stat().size }})
  local first = stream:read()
  local second = stream:read(0)
  say({{ first = #first, second = #second, closed = stream:close() }})
  local _, late = stream:read()
  say({{ late = tostring(late), again = (stream:close()) }})
  local scanner = http_client.get("{s.url}/", {{ stream = true }}).stream:scanner("lines")
  local lines = {{}}
  for _ = 1, 2 do scanner:scan() lines[#lines + 1] = scanner:text() end
  say(lines)
end
""")
    what, reads, late, lines = r.values
    assert "stream is not seekable" in what["seek"] and "stream is not writable" in what["write"] and what["size"] == -1
    assert 0 < reads["first"] <= 32768 and 0 < reads["second"] <= 32768 and reads["closed"] is True
    assert "stream not found" in late["late"] and late["again"] is True  # closed it is
    assert lines == ["one", "two"]


def test_errors_of_a_stream(client, lua, peer, overlay, counting_proxy):
    p = peer(reply(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"))
    r = lua(f"""
local function main()
  local stream = http_client.get("http://127.0.0.1:{p.port}/", {{ stream = true, overlay_network = "{client.network}" }}).stream
  local got = stream:read()
  local none, err = stream:read()
  say({{ got = got, none = none == nil, text = tostring(err), kind = err:kind(), retryable = err:retryable() }})
end
""", overlays=[overlay("proxy", counting_proxy.port)])
    assert r.only["text"].startswith("stream read: ") and "EOF" in r.only["text"], r
    assert (r.only["got"], r.only["none"], r.only["kind"], r.only["retryable"]) == ("half", True, "Internal", False), r


@pytest.mark.parametrize("kind", ["functions", "processes"])
def test_a_stream_ends_with_who_opened_it(wippy, lua, peer, kind):
    p = peer(lambda s: (s.recv(65536), s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")))
    opener = f"""
local kept
local function main()
  kept = http_client.get("http://127.0.0.1:{p.port}/", {{ stream = true, timeout = "60s" }}).stream
  kept:read()
end
"""
    how = 'funcs.call("app:opener")' if kind == "functions" else 'process.spawn("app:opener", "app:processes")'
    with wippy.start(lua.write(f'local function main() {how} io.print("opened") time.sleep("20s") end', **{kind: {"opener": opener}}),
                     "run", "go") as run:
        run.wait_for("opened")
        assert p.wait_closed(1, 5) and p.connections == 1
        assert run.proc.poll() is None


def test_a_slow_reader_holds_the_server_back(lua, peer):
    sent = [0]

    def endless(s):
        s.recv(65536)
        s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        s.settimeout(0.5)
        try:
            while sent[0] < 1000000000:
                sent[0] += s.send(b"x" * 65536)
        except OSError:
            pass
    p = peer(endless)
    r = lua(f"""
local function main()
  local stream = http_client.get("http://127.0.0.1:{p.port}/", {{ stream = true, timeout = "60s" }}).stream
  time.sleep("1s")
  say({{ n = #stream:read(1000) }})
end
""")
    # What the kernel holds for both ends, and what a stream holds.
    assert r.only == {"n": 1000} and 0 < sent[0] < 32 * 1024 * 1024, (r, sent)


# -- bombs -----------------------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def bomb():
    """200 MiB in 200 KiB."""
    z = zlib.compressobj(1, zlib.DEFLATED, 31)
    block = bytes(1 << 20)
    return b"".join(z.compress(block) for _ in range(200)) + z.flush()


def peak_of(run):
    with open(f"/proc/{run.proc.pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) // 1024 for line in f if line.startswith("VmHWM:"))


@pytest.mark.parametrize("options, words", [("{ max_response_body = 1000000 }", "response body too large (max 1000000 bytes)"),
                                            ("{ stream = true, max_response_body = 10 }", "all of it: 209715200")])
def test_a_bomb(wippy, lua, site, bomb, slower, options, words):
    """A buffered body stops at the cap, a stream keeps a piece of it at a time."""
    s = site({"/": (200, {"Content-Encoding": "gzip"}, bomb)})
    code = f"""
local function main()
  local resp, err = http_client.get("{s.url}/", {options})
  local total = 0
  while resp do
    local chunk, e = resp.stream:read(65536)
    if e then err = e end
    if not chunk then break end
    total = total + #chunk
  end
  io.print(err and tostring(err) or "all of it: " .. total)
  time.sleep("20s")
end
"""
    with wippy.start(lua.write(code), "run", "go") as run:
        run.wait_for(words, timeout=15 * slower)
        if slower == 1:
            assert peak_of(run) < 150, peak_of(run)


@pytest.mark.parametrize("what, content, want", [
    ("members one after the other", gzip.compress(b"one" * 500) + gzip.compress(b"two"), 1503),
    ("nothing", b"", 0), ("nothing, packed", gzip.compress(b""), 0),
    ("cut", gzip.compress(bytes(range(256)) * 40)[:-20], "stream read: unexpected EOF"),
    ("cut in the first bytes", b"\x1f\x8b", "stream read: unexpected EOF"),
    ("no gzip", b"plain text", "stream read: gzip: invalid data in the response body"),
    ("rubbish behind", gzip.compress(b"one") + b"more", "stream read: gzip: invalid data in the response body"),
])
@pytest.mark.parametrize("size", [1, 7, 0])
def test_streams_are_decoded(lua, site, what, content, want, size):
    s = site({"/": (200, {"Content-Encoding": "gzip"}, content)})
    r = lua(f"""
local function main()
  local resp = http_client.get("{s.url}/", {{ stream = true }})
  local total, err = 0, nil
  while true do
    local chunk, e = resp.stream:read({size})
    err = e
    if not chunk then break end
    total = total + #chunk
  end
  local _, again = resp.stream:read()
  say({{ total = total, text = err and tostring(err), again = again and tostring(again), coded = (resp.headers or {{}})["Content-Encoding"] }})
end
""")
    if isinstance(want, int):
        assert r.only == {"total": want}, (what, r)
    else:
        # Told again to who asks again.
        assert (r.only["text"], r.only["again"], r.only.get("coded")) == (want, want, None), (what, r)


# -- batches -----------------------------------------------------------------------------------------------------------------------

def test_elements_of_a_batch_take_their_own_ways(lua, overlay, counting_proxy, site):
    """An overlay that does not exist fails its element alone; what only the program can mend ends the batch."""
    s = site()
    r = lua(f"""
local function main()
  local url = "{s.url}"
  local rs, errs = http_client.request_batch({{ {{ "GET", "http://plain.test/", {{ overlay_network = "app:proxy" }} }}, {{ "GET", url }},
    {{ "GET", url, {{ overlay_network = "app:nope" }} }}, {{ "GET", url .. "/4" }} }})
  say({{ ip = told(rs[1]).ip, direct = rs[2].body, none = rs[3] == nil, last = rs[4].body, only = errs[1] == nil and errs[2] == nil and errs[4] == nil,
    text = tostring(errs[3]), kind = errs[3]:kind(), retryable = errs[3]:retryable() }})
  rs, errs = http_client.request_batch({{ {{ "GET", url, {{ overlay_network = "app:nope" }} }} }})
  say({{ n = #rs, text = tostring(errs[1]) }})
  rs, errs = http_client.request_batch({{ {{ "GET", url }}, {{ "GET", url, {{ overlay_network = "app:proxy", unix_socket = "/x" }} }} }})
  say({{ none = rs == nil, kind = errs:kind() }})
end
""", overlays=[overlay("proxy", counting_proxy.port)])
    some, one, bad = r.values
    assert some == {"ip": "127.0.0.2", "direct": "ok", "none": True, "last": "ok", "only": True, "kind": "Internal", "retryable": True,
                    "text": 'overlay network "app:nope": network: service not found'}
    assert one == {"n": 0, "text": 'overlay network "app:nope": network: service not found'}
    assert bad == {"none": True, "kind": "Invalid"} and len(s.asked) == 2


def test_files_of_a_batch_may_come_from_streams(lua, site):
    s = site({"/one": (200, {}, b"first" * 40000), "/two": (200, {}, b"second")})
    r = lua(f"""
local function open(path) return http_client.get("{s.url}" .. path, {{ stream = true }}).stream end
local function main()
  local one = {{ "put", "{s.url}/a", {{ files = {{ {{ name = "a", reader = open("/one") }}, {{ name = "b", content = "plain" }} }} }} }}
  local requests = {{ {{ "GET", "{s.url}/x" }}, one, {{ "post", "{s.url}/b", {{ files = {{ {{ name = "c", reader = open("/two") }} }} }} }} }}
  local rs, errs = http_client.request_batch(requests)
  say({{ n = #rs, errs = errs == nil, kept = one[3].files[1].reader ~= nil and one[3].files[1].content == nil and requests[2] == one }})
  local closed = open("/two")
  closed:close()
  rs, errs = http_client.request_batch({{ {{ "GET", "{s.url}/never" }}, {{ "post", "{s.url}/b", {{ files = {{ {{ name = "c", reader = closed }} }} }} }} }})
  say({{ none = rs == nil, text = tostring(errs) }})
end
""")
    first, second = r.values
    assert first == {"n": 3, "errs": True, "kept": True} and second == {"none": True, "text": "stream not found"}, r
    sent = {a.path: a for a in s.asked}
    assert sent["/a"].method == "PUT" and sent["/a"].body.count(b"first") == 40000 and b"plain" in sent["/a"].body
    assert b"second" in sent["/b"].body and "/never" not in sent


# -- the words of errors -------------------------------------------------------------------------------------------------------------

def reset(s):
    s.recv(65536)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


OK = b"HTTP/1.1 200 OK\r\n"
BROKEN = [
    ("closed at once", lambda s: s.close(), None, "EOF|connection reset by peer"),
    ("closed after the request", reply(b""), "eof", "EOF"),
    ("reset", reset, None, "connection reset by peer|EOF"),  # a proxy may tell a reset as an end
    ("cut in the head", reply(OK + b"Content-Le"), "eof", "EOF"),
    ("cut in the body", reply(OK + b"Content-Length: 9\r\n\r\nhalf"), "eof", "unexpected EOF"),
    ("cut in a chunk", reply(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"), "eof", "EOF"),
    ("no HTTP", reply(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), "bad_response", "malformed HTTP response"),
    ("bad chunk", reply(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"), None, ""),
    ("a head without end", reply(OK + b"X: " + b"x" * 300000 + b"\r\n\r\n"), "headers_too_large", "server response headers exceeded"),
    ("no gzip", reply(OK + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"), "bad_encoding", "gzip"),
    ("too large", reply(OK + b"Content-Length: 999999999\r\n\r\n"), "body_too_large", "response body too large (max 125829120 bytes)"),
    ("silent", silent, "timeout_headers", "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"),
    ("half", lambda s: (s.recv(65536), s.sendall(OK + b"Content-Length: 9\r\n\r\nhalf"), time.sleep(2)), "timeout_body",
     "Client.Timeout or context cancellation while reading body"),
]


def test_words_of_broken_exchanges(client, peer):
    peers = [peer(handle) for _, handle, _, _ in BROKEN]
    got = client([["request", "propfind", f"http://127.0.0.1:{p.port}/", {"timeout": "700ms" if name in ("silent", "half") else "10s"}]
                  for p, (name, *_) in zip(peers, BROKEN)])
    for (name, _, code, words), p, g in zip(BROKEN, peers, got):
        assert (g.get("kind"), g.get("retryable")) == ("Internal", True), (name, g)
        assert any(w in g["error"] for w in words.split("|")), (name, g)
        assert code is None or g["code"] == code, (name, g)
        if name != "too large":  # these words stand alone
            assert g["error"].startswith(f'Propfind "http://127.0.0.1:{p.port}/": '), (name, g)


def test_words_of_requests_that_reach_nobody(client, nobody, certificates, site):
    s = site(context=certificates.context())
    loop = site({"/": hop(302, "/")})
    got = client([["get", f"http://127.0.0.1:{nobody}/"], ["get", s.url], ["get", loop.url + "/"], ["get", "gopher://x/"], ["get", "http:///x"],
                  ["get", "http://x/%zz"], ["get", "http://x/", {"overlay_network": "app:nope"}], ["get", "http://x.onion/", {"overlay_network": "direct"}],
                  ["request", "a b", "http://x/"], ["get", "http://x/", {"headers": {"a b": "c"}}], ["get", "http://x/", {"tls": {"key": "k"}}]])
    proxied = "socks connect tcp 127.0.0.1:" if client.network != "direct" else "dial tcp 127.0.0.1:"
    words = [f"{proxied}", "tls: failed to verify certificate: x509: ", "stopped after 10 redirects", 'unsupported protocol scheme "gopher"',
             "no Host in request URL", 'parse "http://x/%zz": ', 'overlay network "app:nope": network: service not found',
             "cannot be reached over the clear network", "invalid method", "header", "both cert and key must be provided together"]
    for w, g in zip(words, got):
        assert w in g["error"] and (g["kind"], g["retryable"]) == ("Internal", True), (w, g)
    assert "connection refused" in got[0]["error"] and got[7]["code"] == "overlay_only_host"


def test_words_of_an_unknown_host(lua, watched_network):
    net = watched_network(answers=["known.test=127.0.0.1"])
    r = lua('local function main() say(ask("http://unknown.test/", { timeout = "5s" })) end', netns=net.near)
    assert r.only["error"] == 'Get "http://unknown.test/": dial tcp: lookup unknown.test: no such host', r
    assert (r.only["kind"], r.only["retryable"], r.only["code"]) == ("Internal", True, "no_such_host")


def test_the_body_of_a_redirect_is_not_the_answer(client, peer):
    """Until its last hop's head has come, a request waits for headers."""
    p = peer(lambda s: (s.recv(65536), s.sendall(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 9\r\n\r\nhalf")))
    (got,) = client([["get", f"http://127.0.0.1:{p.port}/", {"timeout": "400ms"}]])
    assert got["code"] == "timeout_headers" and "while awaiting headers" in got["error"], got


# -- time, and the end of the asker, in each phase --------------------------------------------------------------------------------------

@pytest.fixture
def full_port():
    """A port whose listener takes no more connections: a dial to it waits."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = []
        for _ in range(8):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(listener.getsockname())
            waiting.append(s)
        time.sleep(0.05)
        yield listener.getsockname()[1]
        for s in waiting:
            s.close()


def half_body(s):
    s.recv(65536)
    s.sendall(OK + b"Content-Length: 100\r\n\r\nhalf")


def mute(s):
    """Says nothing, also when spoken to."""
    time.sleep(30)


PHASES = {"dial": ("http", None, "dial"), "tls": ("https", silent, "timeout_tls"), "headers": ("http", silent, "timeout_headers"),
          "body": ("http", half_body, "timeout_body")}


@pytest.fixture(params=PHASES)
def phase(request, peer, full_port):
    scheme, handle, code = PHASES[request.param]
    p = peer(handle) if handle else None
    return f"{scheme}://127.0.0.1:{p.port if p else full_port}/", p, code


def test_a_deadline_in_each_phase(lua, phase, slower):
    url, p, code = phase
    r = lua(f'local function main() say(ask("{url}", {{ timeout = "400ms" }})) end')
    assert code in r.only["code"] or code == "dial" and r.only["code"] in ("connect_timeout", "timeout_dial"), r
    assert ("Client.Timeout" in r.only["error"] and "context deadline exceeded" in r.only["error"]), r
    assert r.seconds < 3 * slower and (not p or p.wait_closed(1, 5))


END = """
local function main()
  local pid = process.spawn("app:waiter", "app:processes", "URL")
  time.sleep("400ms")
  say({ ended = process.terminate(pid) })
  say(ask("SECOND"))
  time.sleep("20s")
end
"""


def test_a_process_may_end_in_each_phase(wippy, lua, site, phase):
    url, p, _ = phase
    s = site()
    folder = lua.write(END.replace("URL", url).replace("SECOND", s.url),
                       processes={"waiter": "local function main(url) http_client.get(url, { timeout = '60s' }) end"})
    with wippy.start(folder, "run", "go") as run:
        run.wait_for('"status":200')
        assert not p or (p.connections == 1 and p.wait_closed(1, 5)), "the server still has the connection"
        assert run.proc.poll() is None


# -- HTTP/2 --------------------------------------------------------------------------------------------------------------------------------

HTTP2_SERVER = """
const fs = require('fs'), zlib = require('zlib');
let sessions = 0;
const server = require('http2').createSecureServer(
  { key: fs.readFileSync(process.argv[1]), cert: fs.readFileSync(process.argv[2]), allowHTTP1: true }, (req, res) => {
  let received = 0;
  req.on('data', (chunk) => { received += chunk.length; });
  req.on('end', () => {
    const path = req.url;
    if (path === '/hop') { res.writeHead(302, { location: '/end' }); res.end(); return; }
    if (path === '/big') { res.end(Buffer.alloc(3000000, 'b')); return; }
    if (path === '/reset') { req.stream ? req.stream.close(2) : req.socket.destroy(); return; }
    const body = JSON.stringify({ version: req.httpVersion, method: req.method, path, received, sessions,
      host: req.headers[':authority'] || req.headers.host, other: req.headers.other });
    res.setHeader('content-type', 'application/json');
    if (path === '/gzip') { res.setHeader('content-encoding', 'gzip'); res.end(zlib.gzipSync(body)); return; }
    setTimeout(() => res.end(body), path === '/slow' ? 300 : 0);
  });
});
server.on('session', () => { sessions++; });
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.on('end', () => process.exit(0)).resume();
"""


@pytest.fixture
def http2(certificates):
    """The address of a server that offers HTTP/2 and HTTP/1.1 by ALPN, and the options to trust it."""
    node = shutil.which("node")
    if not node:
        pytest.skip("node is not installed")
    p = subprocess.Popen([node, "-e", HTTP2_SERVER, str(certificates.dir / "server.key"), str(certificates.dir / "server.pem")],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    yield f"https://127.0.0.1:{int(p.stdout.readline())}"
    p.stdin.close()
    p.wait(10)
    p.stdout.close()


def test_http2_is_for_the_clear_network(client, http2, certificates):
    trust = {"tls": {"ca": certificates.text("ca.pem")}}
    got = client([["post", http2 + "/p?q=1", {**trust, "body": "x" * 200000, "headers": {"Other": "o"}}], ["get", http2 + "/hop", trust],
                  ["get", http2 + "/gzip", trust], ["head", http2 + "/", trust], ["get", http2 + "/big", {**trust, "max_response_body": 1000}],
                  ["get", http2 + "/reset", trust], ["get", http2 + "/", trust]])
    version = "2.0" if client.network == "direct" else "1.1"
    for g, method, path in zip(got, ("POST", "GET", "GET"), ("/p?q=1", "/end", "/gzip")):
        assert f'"version":"{version}"' in g["body"] and f'"path":"{path}"' in g["body"] and f'"method":"{method}"' in g["body"], g
        assert f'"host":"{http2[8:]}"' in g["body"] and g["headers"]["Content-Type"] == "application/json"
    assert '"received":200000' in got[0]["body"] and '"other":"o"' in got[0]["body"]
    assert "Content-Encoding" not in got[2]["headers"] and (got[3]["status"], got[3]["size"]) == (200, 0)
    assert "response body too large" in got[4]["error"]
    assert (got[5]["kind"], got[5]["retryable"]) == ("Internal", True)
    assert got[6]["status"] == 200, got[6]


def test_http2_shares_one_connection(lua, http2, certificates, slower):
    r = lua("""
local function main()
  local ca = [[CA]]
  local function one(path) return { "GET", "URL" .. path, { tls = { ca = ca } } } end
  http_client.get("URL/", { tls = { ca = ca } })
  local before = time.now()
  local requests = {}
  for i = 1, 20 do requests[i] = one("/slow") end
  local rs, errs = http_client.request_batch(requests)
  local streams, total = {}, 0
  for i = 1, 3 do streams[i] = http_client.get("URL/big", { tls = { ca = ca }, stream = true }).stream end
  for i = 3, 1, -1 do
    while true do
      local chunk = streams[i]:read(100000)
      if not chunk then break end
      total = total + #chunk
    end
  end
  say({ n = #rs, errs = errs == nil, total = total, last = json.decode(rs[20].body).sessions, version = json.decode(rs[1].body).version })
end
""".replace("CA]]", certificates.text("ca.pem") + "]]").replace("URL", http2))
    assert r.only == {"n": 20, "errs": True, "total": 9000000, "last": 1, "version": "2.0"}, r
    assert r.seconds < 5 * slower


# -- kept-alive connections and dispatcher.http ------------------------------------------------------------------------------------------

@pytest.fixture(params=["direct", "app:proxy"])
def with_settings(request, lua, overlay, counting_proxy):
    """with_settings(code, timeout="300ms"): the code with those settings of dispatcher.http, the same on the clear network and an overlay."""
    def run(code, **settings):
        config = {"dispatcher": {"http": settings}, "supervisor": {"host": {"worker_count": 1}}}
        if request.param != "direct":
            config["network_service"] = {"default_network": request.param}
        return lua(code, overlays=[overlay("proxy", counting_proxy.port)], config=config)
    return run


@pytest.mark.parametrize("setting, connections", [({}, 1), ({"idle_conn_timeout": "200ms"}, 2), ({"idle_conn_timeout": "0s"}, 1)])
def test_idle_time(with_settings, site, setting, connections):
    s = site()
    r = with_settings(f'local function main() say(ask("{s.url}")) time.sleep("600ms") say(ask("{s.url}")) end', **setting)
    assert [v["status"] for v in r.values] == [200, 200] and s.connections == connections, r


@pytest.mark.parametrize("setting, connections", [({}, 4), ({"max_idle_per_host": 1}, 7), ({"max_idle_conns": 2}, 6), ({"max_idle_per_host": 0}, 4)])
def test_idle_connections(with_settings, site, setting, connections):
    def slow(handler, asked):
        time.sleep(0.2)
        return 200, {}, b"ok"
    s = site({"/": slow})
    r = with_settings(f"""
local function main()
  local u = "{s.url}/"
  local four = {{ {{ "GET", u }}, {{ "GET", u }}, {{ "GET", u }}, {{ "GET", u }} }}
  say({{ n = #http_client.request_batch(four) }})
  time.sleep("200ms")
  say({{ n = #http_client.request_batch(four) }})
end
""", **setting)
    assert r.values == [{"n": 4}, {"n": 4}] and s.connections == connections, (r, s.connections)


def test_the_default_of_the_timeout(with_settings, peer, site):
    def late(handler, asked):
        time.sleep(0.7)
        return 200, {}, b"late"
    p, s = peer(silent), site({"/": late})
    r = with_settings(f"""
local function main()
  say(ask("http://127.0.0.1:{p.port}/"))
  say(ask("{s.url}/", {{ timeout = "20s" }}))
  local _, err = http_client.get("http://127.0.0.1:{p.port}/", {{ stream = true, timeout = 0 }})
  say({{ code = err:details().code }})
end
""", timeout="300ms")
    assert [v.get("code") or v["status"] for v in r.values] == ["timeout_headers", 200, "timeout_headers"], r


@pytest.mark.parametrize("line, words", [
    ("timeout: 5", 'line 4: dispatcher.http.timeout: expected a duration string such as "30s", got integer'),
    ("timeout: soon", 'line 4: dispatcher.http.timeout: expected a duration string such as "30s", got string soon'),
    ("timeout: -5s", 'line 4: dispatcher.http.timeout: expected a duration string such as "30s", got string -5s'),
    ("idle_conn_timeout: [1]", "line 4: dispatcher.http.idle_conn_timeout: expected a duration"),
    ("max_idle_conns: -1", "line 4: dispatcher.http.max_idle_conns: expected 0 to 1000000, got -1"),
    ("max_idle_conns: many", "line 4: dispatcher.http.max_idle_conns: expected an integer, got string many"),
    ("max_idle_per_host: 1.5", "line 4: dispatcher.http.max_idle_per_host: expected an integer"),
    ("max_idle_per_host: 99999999999", "line 4: dispatcher.http.max_idle_per_host: expected 0 to 1000000, got 99999999999"),
])
def test_settings_that_cannot_be(wippy, lua, line, words):
    folder = lua.write("local function main() end", files={".wippy.yaml": f'version: "1.0"\ndispatcher:\n  http:\n    {line}\n'})
    r = wippy.run(folder, "run", "go")
    assert r.code != 0 and ".wippy.yaml: " + words in r.stderr, r


def test_settings_that_are_not_known(wippy, lua):
    folder = lua.write("local function main() end",
                       files={".wippy.yaml": 'version: "1.0"\ndispatcher:\n  http:\n    max_clients: 3\n    max_conns: 3\n'})
    r = wippy.run(folder, "run", "go")
    assert r.code == 0 and ".wippy.yaml:5: dispatcher.http.max_conns: unknown key, ignored" in r.stderr, r
    assert ".wippy.yaml:4: dispatcher.http.max_clients: " in r.stderr, r
