"""Middlewares of routers and mounts, asked for with raw sockets."""
import ctypes
import gzip
import time
import uuid

import pytest

from web import Answer, folder_entry, free_port, mount, serving, write_project

TEXT = b"All work and no play makes Jack a dull boy.\n" * 200
NOISE = bytes((i * 7919 + i // 3) % 256 for i in range(3000))


def function(name, body, *modules):
    source = "local http = require(\"http\")\n" + "".join(f"local {m} = require(\"{m}\")\n" for m in modules) + \
        f"local function run()\nlocal req, res = http.request(), http.response()\n{body}\nend\nreturn {{ run = run }}\n"
    return {"name": name, "kind": "function.lua", "source": source, "method": "run", "modules": ["http", *modules]}


def router(name, prefix, middleware=(), options=None, post=(), post_options=None):
    return {"name": name, "kind": "http.router", "meta": {"server": "web"}, "prefix": prefix, "middleware": list(middleware),
            "options": options or {}, "post_middleware": list(post), "post_options": post_options or {}}


def endpoint(name, router_name, path, func, method="GET"):
    return {"name": name, "kind": "http.endpoint", "meta": {"router": router_name}, "method": method, "path": path,
            "func": func}


def policy(name, actions, resources, effect="allow"):
    return {"name": name, "kind": "security.policy", "policy": {"actions": actions, "resources": resources, "effect": effect}}


ENTRIES = [
    folder_entry("files", "./public"),
    {"name": "processes", "kind": "process.host", "lifecycle": {"auto_start": True}},
    {"name": "kept", "kind": "store.memory", "max_size": 1000, "lifecycle": {"auto_start": True}},
    {"name": "tokens", "kind": "security.token_store", "store": "app:kept", "token_key": "the signing key"},
    {"name": "broken_tokens", "kind": "security.token_store", "store": "app:nonesuch"},
    policy("may_enter", ["access"], ["app:inner_open", "vault", "area"]),
    policy("may_read", ["read"], ["vault"]),
    # cors
    mount("cors_any", "/cors/any", middleware=["cors"]),
    mount("cors_some", "/cors/some", middleware=["cors"], options={
        "cors.allow.origins": "https://app.example.com, *.example.org", "cors.allow.credentials": True,
        "cors.expose.headers": "X-One", "cors.max.age": 5, "cors.allow.private.network": "true"}),
    # compress
    mount("compress", "/compress", middleware=["compress"], options={"compress.level": "best"}),
    # ratelimit
    mount("limit_ip", "/limit/ip", middleware=["ratelimit"], options={"ratelimit.burst": 3, "ratelimit.window": "1h",
                                                                       "ratelimit.requests": 10}),
    mount("limit_header", "/limit/header", middleware=["ratelimit"],
          options={"ratelimit.burst": "1", "ratelimit.key": "header:X-Key", "ratelimit.window": "1h"}),
    mount("limit_query", "/limit/query", middleware=["ratelimit"],
          options={"ratelimit.burst": "1", "ratelimit.key": "query:k", "ratelimit.window": "1h"}),
    mount("limit_fast", "/limit/fast", middleware=["ratelimit"],
          options={"ratelimit.burst": "1", "ratelimit.requests": "20", "ratelimit.window": "1s"}),
    mount("limit_real", "/limit/real", middleware=["real_ip", "ratelimit"],
          options={"ratelimit.burst": "1", "ratelimit.window": "1h", "real_ip.trusted.subnets": "127.0.0.1/32, rubbish"}),
    # request id
    mount("ids", "/ids", middleware=["request_id"]),
    # firewalls and tokens
    mount("area", "/area", middleware=["token_auth", "resource_firewall"],
          options={"token_auth.store": "app:tokens", "resource_firewall.target": "area"}),
    mount("vault", "/vault", middleware=["token_auth", "resource_firewall"],
          options={"token_auth.store": "app:tokens", "resource_firewall.target": "vault", "resource_firewall.action": "read"}),
    mount("misplaced", "/misplaced", middleware=["endpoint_firewall"]),
    mount("no_store", "/no_store", middleware=["token_auth"], options={"token_auth.store": "app:nonesuch"}),
    mount("broken", "/broken", middleware=["token_auth"], options={"token_auth.store": "app:broken_tokens"}),
    router("outer", "/outer", ["real_ip", "metrics"]),
    endpoint("outer_mint", "outer", "/mint", "mint"),
    endpoint("outer_where", "outer", "/where", "where"),
    router("inner", "/inner", ["token_auth"], {"token_auth.store": "app:tokens"}, ["metrics", "endpoint_firewall"]),
    endpoint("inner_open", "inner", "/open", "who"),
    endpoint("inner_shut", "inner", "/shut", "who"),
    router("packed", "/packed", ["cors", "compress"], {"cors.allow.origins": "https://a.example"}),
    *[endpoint(f"packed_{n}", "packed", f"/{n}", n) for n in ("pieces", "short", "events", "typed", "encoded", "empty")],
    function("mint", """
      local actor = security.new_actor("user:" .. req:query("who"), { role = "tester" })
      local scope = security.new_scope()
      for name in (req:query("policies") or ""):gmatch("[^,]+") do scope = scope:with(security.policy("app:" .. name)) end
      local token, err = security.token_store("app:tokens"):create(actor, scope)
      res:write(token or tostring(err))""", "security"),
    function("who", "local a = security.actor() res:write(a and a:id() or \"nobody\")", "security"),
    function("where", "res:write(req:remote_addr())"),
    function("pieces", "res:set_content_type(\"text/plain\") for i = 1, 300 do res:write(\"piece \" .. i .. \"\\n\") end"),
    function("short", "res:set_content_type(\"text/plain\") res:write(\"short\")"),
    function("typed", "res:set_content_type(\"image/jpeg\") res:write(string.rep(\"x\", 5000))"),
    function("encoded", "res:set_header(\"Content-Encoding\", \"x-own\") res:write(string.rep(\"x\", 5000))"),
    function("empty", "res:set_status(204)"),
    function("events", """
      res:set_content_type("text/event-stream")
      for i = 1, 3 do res:write("data: " .. i .. "\\n\\n") res:flush() time.sleep("100ms") end""", "time"),
    # sendfile
    router("sent", "/sent", ["sendfile"], {"sendfile.fs": "app:files"}),
    router("unset", "/unset", ["sendfile"]),
    router("lost", "/lost", ["sendfile"], {"fs": "app:nonesuch"}),
    *[endpoint(f"{r}_send", r, "/send", "send") for r in ("sent", "unset", "lost")],
    function("send", """
      for name in ("X-Sendfile X-File-Path X-File-Name Content-Type"):gmatch("%S+") do
        local value = req:query(name)
        if value then res:set_header(name, value) end
      end
      if req:query("status") then res:set_status(202) res:write("written") end"""),
    # metrics
    mount("counted", "/counted", middleware=["metrics"]),
    mount("numbers", "/metrics", middleware=["prometheus"]),
]
FILES = {"public/text.txt": TEXT, "public/small.txt": b"small", "public/noise.zip": NOISE, "public/noise": NOISE,
         "public/a.txt": b"a"}


@pytest.fixture(scope="module")
def web(wippy, slower, tmp_path_factory):
    with serving(wippy, tmp_path_factory.mktemp("middleware"), ENTRIES, FILES, slower=slower) as w:
        yield w


# -- cors ----------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("mount_path, origin, allowed", [
    ("any", "https://x.example", True), ("any", None, False),
    ("some", "https://app.example.com", True), ("some", "http://app.example.com", False),
    ("some", "https://a.example.org", True), ("some", "https://example.org", False),
    ("some", "https://a.example.org.evil.net", False),
])
def test_cors(web, mount_path, origin, allowed):
    fields = [f"Origin: {origin}"] if origin else []
    a = web.get(f"/cors/{mount_path}/a.txt", *fields)
    assert (a.status, a.body) == (200, b"a")
    assert a["Access-Control-Allow-Origin"] == (origin if allowed else None)
    assert a["Vary"] == ("Origin" if allowed else None)
    some = allowed and mount_path == "some"
    assert a["Access-Control-Allow-Credentials"] == ("true" if some else None)
    assert a["Access-Control-Expose-Headers"] == ("X-One" if some else None)
    assert a["Access-Control-Allow-Private-Network"] == ("true" if some else None)


def test_cors_preflight(web):
    a = web.ask("OPTIONS", "/cors/any/a.txt", "Origin: https://x.example", "Access-Control-Request-Method: PUT")
    assert (a.status, a.body) == (204, b"")
    assert a["Access-Control-Allow-Origin"] == "https://x.example"
    assert a["Access-Control-Allow-Methods"] == "GET,POST,PUT,DELETE,OPTIONS,PATCH"
    assert a["Access-Control-Allow-Headers"] == "Origin,Content-Type,Accept,Authorization,X-Requested-With"
    assert a["Access-Control-Max-Age"] == "86400"
    assert a["Access-Control-Allow-Credentials"] is None
    assert a["Vary"] == "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
    a = web.ask("OPTIONS", "/cors/some/a.txt", "Origin: https://app.example.com", "Access-Control-Request-Method: PUT")
    assert (a.status, a["Access-Control-Max-Age"], a["Access-Control-Allow-Credentials"]) == (204, "5", "true")
    # Not a preflight, or not from there: the request runs.
    assert web.ask("OPTIONS", "/cors/any/a.txt", "Origin: https://x.example").body == b"a"
    a = web.ask("OPTIONS", "/cors/some/a.txt", "Origin: https://evil.net", "Access-Control-Request-Method: PUT")
    assert a.body == b"a" and a["Access-Control-Allow-Origin"] is None


def test_cors_preflight_of_an_endpoint(web):
    a = web.ask("OPTIONS", "/packed/short", "Origin: https://a.example", "Access-Control-Request-Method: GET")
    assert (a.status, a["Access-Control-Allow-Origin"]) == (204, "https://a.example")
    a = web.ask("OPTIONS", "/packed/short", "Origin: https://b.example", "Access-Control-Request-Method: GET")
    assert (a.status, a["Access-Control-Allow-Origin"]) == (204, None)


# -- compress ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("accept, name, coding", [
    ("gzip", "text.txt", "gzip"), ("deflate, gzip;q=0.5", "text.txt", "gzip"), ("gzip;q=0", "text.txt", None),
    ("*", "text.txt", None), (None, "text.txt", None), ("gzip", "small.txt", None), ("gzip", "noise.zip", None),
    ("gzip", "noise", "gzip"),
])
def test_compress_files(web, accept, name, coding):
    a = web.get(f"/compress/{name}", *[f"Accept-Encoding: {accept}"] if accept else [])
    assert (a.status, a["Content-Encoding"], a["Vary"]) == (200, coding, "Accept-Encoding")
    assert a.whole and (gzip.decompress(a.body) if coding else a.body) == FILES[f"public/{name}"]
    assert a["Accept-Ranges"] == (None if coding else "bytes")
    if coding and name == "text.txt":
        assert len(a.body) < len(TEXT) / 10


def test_compress_leaves_head_and_ranges_alone(web):
    a = web.ask("HEAD", "/compress/text.txt", "Accept-Encoding: gzip")
    assert (a["Content-Encoding"], a["Content-Length"], a["Vary"]) == (None, str(len(TEXT)), "Accept-Encoding")
    a = web.get("/compress/text.txt", "Accept-Encoding: gzip", "Range: bytes=0-1999")
    assert (a.status, a["Content-Encoding"], a.body) == (206, None, TEXT[:2000])


def test_compress_brotli_when_preferred(web):
    a = web.get("/compress/text.txt", "Accept-Encoding: gzip;q=0.1, br")
    if a["Content-Encoding"] != "br":
        pytest.skip("built without brotli")
    size = ctypes.c_size_t(len(TEXT) + 1)
    out = ctypes.create_string_buffer(size.value)
    decoder = ctypes.CDLL("libbrotlidec.so.1")
    assert decoder.BrotliDecoderDecompress(ctypes.c_size_t(len(a.body)), a.body, ctypes.byref(size), out) == 1
    assert out.raw[:size.value] == TEXT


@pytest.mark.parametrize("accepted, coding", [
    ("gzip, zstd", "zstd"), ("gzip, br, zstd", "zstd"), ("gzip, zstd;q=0.9", "gzip"), ("zstd", "zstd"), ("zstd;q=0, gzip", "gzip"),
])
def test_compress_zstd_unless_rated_lower(web, accepted, coding):
    if web.get("/compress/text.txt", "Accept-Encoding: zstd")["Content-Encoding"] != "zstd":
        pytest.skip("built without zstd")
    a = web.get("/compress/text.txt", f"Accept-Encoding: {accepted}")
    assert a["Content-Encoding"] == coding
    if coding == "zstd":
        decoder = ctypes.CDLL("libzstd.so.1")
        decoder.ZSTD_decompress.restype = ctypes.c_size_t
        out = ctypes.create_string_buffer(len(TEXT) + 1)
        n = decoder.ZSTD_decompress(out, ctypes.c_size_t(len(out)), a.body, ctypes.c_size_t(len(a.body)))
        assert out.raw[:n] == TEXT


@pytest.mark.parametrize("name, coding", [("pieces", "gzip"), ("short", None), ("typed", None), ("encoded", "x-own"),
                                          ("empty", None)])
def test_compress_handlers(web, name, coding):
    plain = web.get(f"/packed/{name}")
    a = web.get(f"/packed/{name}", "Accept-Encoding: gzip", "Origin: https://a.example")
    assert a.status == plain.status and a["Content-Encoding"] == coding and a.whole
    assert (gzip.decompress(a.body) if coding == "gzip" else a.body) == plain.body
    assert sorted(a.all("Vary")) == ["Accept-Encoding", "Origin"]


def test_compress_streams_what_is_flushed(web, slower):
    with web.connect() as s:
        s.sendall(b"GET /packed/events HTTP/1.1\r\nHost: h\r\nConnection: close\r\nAccept-Encoding: gzip\r\n\r\n")
        began, data, first = time.monotonic(), b"", None
        while chunk := s.recv(65536):
            data += chunk
            # The first event is readable before the last was written.
            if first is None and b"\r\n\r\n" in data and len(data.split(b"\r\n\r\n", 1)[1]) > 20:
                first = time.monotonic() - began
    a = Answer(data, "GET")
    assert a["Content-Encoding"] == "gzip" and gzip.decompress(a.body) == b"data: 1\n\ndata: 2\n\ndata: 3\n\n"
    assert first < time.monotonic() - began - 0.1


# -- ratelimit, real_ip, request_id ----------------------------------------------------------------------------------------

def test_ratelimit_by_address(web):
    for source in ("127.0.0.1", "127.0.0.7"):
        answers = [web.get("/limit/ip/a.txt", source=source) for _ in range(5)]
        assert [a.status for a in answers] == [200, 200, 200, 429, 429]
        assert answers[0]["X-RateLimit-Limit"] is None
        assert answers[4].body == b"Rate limit exceeded\n"
        assert (answers[4]["X-RateLimit-Limit"], answers[4]["X-RateLimit-Window"]) == ("10", "1h")


def test_ratelimit_by_header_and_parameter(web):
    assert [web.get("/limit/header/a.txt", f"X-Key: {k}").status for k in "aabbc"] == [200, 429, 200, 429, 200]
    a = web.get("/limit/header/a.txt")
    assert (a.status, a.body) == (400, b"Rate limit key extraction failed\n")
    long = ["k" * 5000 + str(i) for i in (1, 1, 2)]
    assert [web.get("/limit/header/a.txt", f"X-Key: {k}").status for k in long] == [200, 429, 200]
    targets = ["?k=1", "?a=b&k=%31", "?k=2", "?k=", ""]
    assert [web.get(f"/limit/query/a.txt{t}").status for t in targets] == [200, 429, 200, 400, 400]


def test_ratelimit_refills(web):
    assert web.get("/limit/fast/a.txt").status == 200
    time.sleep(0.3)
    assert web.get("/limit/fast/a.txt").status == 200


def test_real_ip(web):
    def asked(*fields, source="127.0.0.1"):
        return web.get("/limit/real/a.txt", *fields, source=source).status
    assert asked("X-Forwarded-For: 192.0.2.1, 10.0.0.1") == 200
    assert asked("X-Forwarded-For: 192.0.2.1") == 429
    assert asked("X-Real-IP: 192.0.2.1") == 429
    assert asked("X-Real-IP: 192.0.2.2", "X-Forwarded-For: 192.0.2.1") == 200
    assert asked("True-Client-IP: 2001:db8:0::1", "X-Real-IP: 192.0.2.3") == 200
    assert asked("True-Client-IP: 2001:DB8::1") == 429
    # No address: nothing changes, and the next header is not asked.
    assert asked("True-Client-IP: somebody", "X-Real-IP: 192.0.2.9") == 200
    assert asked() == 429
    # Who is not trusted cannot choose.
    assert asked("X-Real-IP: 192.0.2.77", source="127.0.0.2") == 200
    assert asked("X-Real-IP: 192.0.2.78", source="127.0.0.2") == 429


def test_real_ip_in_a_handler(web):
    assert web.get("/outer/where", "X-Forwarded-For: 192.0.2.5, 127.0.0.1").body == b"192.0.2.5"
    assert web.get("/outer/where").body.startswith(b"127.0.0.1:")


def test_request_id(web):
    first, second = (web.get("/ids/a.txt")["X-Request-Id"] for _ in range(2))
    assert uuid.UUID(first).version == 4 and first != second
    assert web.get("/ids/a.txt", "X-Request-Id: abc-123")["X-Request-Id"] == "abc-123"
    for bad in ("a b", "<script>", "x" * 129, "\u00e9"):
        assert uuid.UUID(web.get("/ids/a.txt", f"X-Request-Id: {bad}")["X-Request-Id"])


# -- sendfile --------------------------------------------------------------------------------------------------------------

def test_sendfile(web):
    a = web.get("/sent/send?X-Sendfile=text.txt")
    assert (a.status, a.body, a["Content-Type"]) == (200, TEXT, "text/plain; charset=utf-8")
    assert a["X-Sendfile"] is None and a["Last-Modified"] and a["Content-Disposition"] is None
    a = web.get("/sent/send?X-File-Path=text.txt&X-File-Name=my%20%22text%22.txt&Content-Type=text/x-own", "Range: bytes=0-3")
    assert (a.status, a.body, a["Content-Range"]) == (206, TEXT[:4], f"bytes 0-3/{len(TEXT)}")
    assert a["Content-Type"] == "text/x-own" and a["Content-Disposition"] == 'attachment; filename="my \\"text\\".txt"'
    assert a["X-File-Path"] is None and a["X-File-Name"] is None


@pytest.mark.parametrize("target, status, body", [
    ("/unset/send?X-Sendfile=a.txt", 500, b"sendfile middleware: fs option not configured\n"),
    ("/lost/send?X-Sendfile=a.txt", 500, b'sendfile middleware: filesystem "app:nonesuch" not found\n'),
    ("/sent/send?X-Sendfile=.", 400, b"sendfile middleware: invalid file path\n"),
    ("/sent/send?X-Sendfile=..", 400, b"sendfile middleware: invalid file path\n"),
    ("/sent/send?X-Sendfile=../../etc/passwd", 400, b"sendfile middleware: invalid file path\n"),
    ("/sent/send?X-Sendfile=gone.txt", 404, b"sendfile middleware: file not found: gone.txt\n"),
    ("/sent/send?X-Sendfile=a.txt&status=1", 202, b"written"),
    ("/sent/send", 500, b"no response sent\n"),
])
def test_sendfile_refusals(web, target, status, body):
    a = web.get(target)
    assert (a.status, a.body) == (status, body)


# -- tokens and firewalls ------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def mint(web):
    return lambda who, *policies: web.get(f"/outer/mint?who={who}&policies={','.join(policies)}").body.decode()


def refused(a, status, error, details):
    assert a.status == status, a
    assert a["Content-Type"] == "application/json"
    assert a.body.endswith(b"}\n") and a.json() == {"success": False, "error": error, "details": details}


def test_resource_firewall(web, mint):
    anybody, guest, reader = mint("anybody"), mint("guest", "may_enter"), mint("reader", "may_read")
    bearer = "Authorization: Bearer "
    for target in ("/area/a.txt", "/vault/a.txt"):
        refused(web.get(target), 401, "Authentication required", "You must be authenticated to access this resource")
        refused(web.get(target, bearer + anybody), 403, "Access denied", "You don't have permission to access this resource")
    assert web.get("/area/a.txt", bearer + guest).body == b"a"
    assert web.get("/area/a.txt", bearer + reader).status == 403
    assert web.get("/vault/a.txt", bearer + reader).body == b"a"
    assert web.get("/vault/a.txt", bearer + guest).status == 403


def test_endpoint_firewall(web, mint):
    guest = mint("guest", "may_enter")
    refused(web.get("/inner/open"), 401, "Authentication required", "You must be authenticated to access this endpoint")
    a = web.get("/inner/open", f"Authorization: Bearer {guest}")
    assert (a.status, a.body) == (200, b"user:guest")
    refused(web.get("/inner/shut", f"Authorization: Bearer {guest}"), 403, "Access denied",
            "You don't have permission to access this endpoint")
    a = web.get("/misplaced/a.txt")
    assert a.status == 500 and a.json()["error"] == "Configuration error"
    assert a.json()["details"].startswith("endpoint_firewall middleware must be configured as post-middleware")


def test_where_a_token_is_looked_for(web, mint):
    token = mint("guest", "may_enter")
    quoted = token.replace("=", "%3D")
    good = [["Authorization: Bearer " + token], ["Cookie: a=b; x-auth-token=" + token],
            ["Cookie: x-auth-token=\"" + token + "\""], ["Cookie: a=1", "Cookie: x-auth-token=" + token]]
    for fields in good:
        assert web.get("/area/a.txt", *fields).status == 200, fields
    assert web.get(f"/area/a.txt?x-auth-token={quoted}").status == 200
    # A header without the prefix is passed over; one with it counts, also when it is wrong.
    assert web.get(f"/area/a.txt?x-auth-token={quoted}", "Authorization: Basic eDp5").status == 200
    assert web.get(f"/area/a.txt?x-auth-token={quoted}", "Authorization: Bearer nonsense").status == 401
    for bad in ("bearer " + token, "Bearer" + token, "Bearer  ", "Bearer " + token + "x", "Bearer " + token[:-8],
                "Bearer " + "x" * 30000):
        assert web.get("/area/a.txt", "Authorization: " + bad).status == 401, bad[:50]


def test_token_auth_never_refuses(web, mint):
    for mount_path in ("no_store", "broken"):
        a = web.get(f"/{mount_path}/a.txt", "Authorization: Bearer " + mint("guest"))
        assert (a.status, a.body) == (200, b"a")
    end, said = time.monotonic() + 5, ""
    while "token_auth" not in said and time.monotonic() < end:
        time.sleep(0.02)
        said = "".join(web.program.stdout) + "".join(web.program.stderr)
    assert "token_auth" in said and mint("guest") not in said


def test_a_client_that_leaves_while_its_token_is_checked(web, mint):
    token = mint("guest", "may_enter")
    for _ in range(50):
        with web.connect() as s:
            s.sendall(f"GET /area/a.txt HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
    assert web.get("/area/a.txt", f"Authorization: Bearer {token}").status == 200


# -- metrics -------------------------------------------------------------------------------------------------------------

def numbers(web):
    a = web.get("/metrics/")
    assert (a.status, a["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    return dict(line.rsplit(" ", 1) for line in a.body.decode().splitlines() if not line.startswith("#"))


def test_metrics(web, mint):
    def count(n, route, status, method="GET"):
        key = f'wippy_http_requests_total{{method="{method}",route="{route}",status="{status}"}}'
        return float(n.get(key, 0))
    before = numbers(web)
    for _ in range(3):
        web.get("/counted/a.txt")
    web.get("/counted/missing")
    web.ask("BREW", "/counted/a.txt")
    web.get("/inner/open", "Authorization: Bearer " + mint("guest", "may_enter"))
    web.get("/inner/open")
    after = numbers(web)

    def grew(route, status, method="GET"):
        return count(after, route, status, method) - count(before, route, status, method)
    assert grew("unmatched", 200) >= 3 and grew("unmatched", 404) == 1 and grew("unmatched", 200, "OTHER") == 1
    assert grew("app:inner_open", 200) == 1 and grew("app:inner_open", 401) == 1
    gauges = {k: float(v) for k, v in after.items() if k.startswith("wippy_http_requests_in_flight")}
    assert gauges and all(v == 0 for v in gauges.values()), gauges
    buckets = [k for k in after if k.startswith("wippy_http_request_duration_seconds_bucket") and 'app:inner_open' in k]
    assert buckets


# -- entries -------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("middleware, options, words", [
    (["token_auth"], {}, "token_auth.store"),
    (["token_auth"], {"token_auth.store": "tokens"}, "full id"),
    (["request_id"], {"request_id.header": "a b"}, "request_id.header"),
    (["compress"], {"compress.min.length": "99999999999"}, "compress.min.length"),
    (["Cors"], {}, "middleware not found: Cors"),
])
def test_a_bad_option_is_refused(wippy, tmp_path, middleware, options, words):
    server = {"name": "web", "kind": "http.service", "addr": f"127.0.0.1:{free_port()}", "lifecycle": {"auto_start": True}}
    write_project(tmp_path, [server, folder_entry("files", "./public"),
                             mount("bad", "/x", middleware=middleware, options=options)], {"public/x": b"x"})
    r = wippy.run(tmp_path, "run")
    assert r.code != 0 and "failed to create middleware" in r.stdout + r.stderr and words in r.stdout + r.stderr, repr(r)
