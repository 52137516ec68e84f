"""http.service, http.router and http.endpoint of the real binary: routes, outcomes of a handler, changes while it runs, what is refused."""
import socket
import time

import pytest

from web import free_port, serving, write_project

HANDLERS = """
local function value() return 1 end
local function null() return nil end
local function nothing() end
local function fails() return nil, "it went wrong" end
local function raises() error("raised") end
local function slow() require("time").sleep("400ms") return 1 end
return { value = value, null = null, nothing = nothing, fails = fails, raises = raises, slow = slow }
"""

# The handler of /swap changes the routes: what it adds is there with the next request.
CHANGES = """
local registry = require("registry")
local function swap()
    local changes = registry.snapshot():changes()
    changes:delete("app:old_ep")
    changes:create({ id = "app:new_ep", kind = "http.endpoint", meta = { router = "app:api" },
        data = { method = "GET", path = "/moved", func = "app:value" } })
    local _, err = changes:apply()
    if err then return nil, tostring(err) end
    return 1
end
local function collide()
    local changes = registry.snapshot():changes()
    changes:create({ id = "app:second_ep", kind = "http.endpoint", meta = { router = "app:api" },
        data = { method = "GET", path = "/{other}/x", func = "app:value" } })
    changes:create({ id = "app:third_ep", kind = "http.endpoint", meta = { router = "app:api" },
        data = { method = "GET", path = "/a/{b}", func = "app:value" } })
    local _, err = changes:apply()
    return nil, tostring(err)
end
return { swap = swap, collide = collide }
"""


def function(name, method, source=HANDLERS, *modules):
    return {"name": name, "kind": "function.lua", "source": source, "method": method, "modules": list(modules)}


def endpoint(name, path, func, method="GET", router="api"):
    return {"name": name, "kind": "http.endpoint", "meta": {"router": router}, "method": method, "path": path, "func": func}


ENTRIES = [
    {"name": "processes", "kind": "process.host", "lifecycle": {"auto_start": True}},
    {"name": "api", "kind": "http.router", "meta": {"server": "web"}, "prefix": "/api/"},
    *[function(n, n) for n in ("value", "null", "nothing", "fails", "raises")],
    function("slow", "slow", HANDLERS, "time"),
    function("swap", "swap", CHANGES, "registry"), function("collide", "collide", CHANGES, "registry"),
    *[endpoint(n + "_ep", "/" + n, n) for n in ("value", "null", "nothing", "fails", "raises", "slow", "swap", "collide")],
    endpoint("missing_ep", "/missing", "nonesuch"),
    endpoint("post_ep", "/value", "value", "POST"),
    endpoint("old_ep", "/moved", "nothing"),
    endpoint("tree_ep", "/tree/", "value"),
]


@pytest.fixture(scope="module")
def web(wippy, tmp_path_factory, slower):
    with serving(wippy, tmp_path_factory.mktemp("http_server"), ENTRIES, slower=slower) as w:
        yield w


@pytest.mark.parametrize("path, status, body", [
    ("/value", 200, b""),
    ("/null", 200, b""),
    ("/nothing", 500, b"no response sent\n"),
    ("/fails", 500, b"it went wrong\n"),
    ("/missing", 500, b"no handler registered for target\n"),
    ("/tree/deep/er", 200, b""),
])
def test_what_a_handler_leaves_open(web, path, status, body):
    a = web.get("/api" + path)
    assert (a.status, a.body) == (status, body)
    assert a["Content-Type"] == ("application/json" if status == 200 else "text/plain; charset=utf-8")
    assert a["Date"] and not a["Server"]


def test_a_raised_error_is_the_body(web):
    a = web.get("/api/raises")
    assert a.status == 500 and a.body.endswith(b"raised\n") and a["X-Content-Type-Options"] == "nosniff"


def test_answers_without_a_handler(web):
    assert web.get("/nonesuch").body == b"404 page not found\n"
    a = web.ask("DELETE", "/api/value")
    assert a.status == 405 and a["Allow"] == "GET, HEAD, OPTIONS, POST"
    assert web.ask("OPTIONS", "/api/value").status == 204
    a = web.ask("HEAD", "/api/value")
    assert a.status == 200 and a.body == b""
    a = web.get("/api//x/../tree?q=1")
    assert a.status == 307 and a["Location"] == "/api/tree?q=1"
    a = web.get("/api/tree?q=1")
    assert a.status == 307 and a["Location"] == "/api/tree/?q=1"


def test_routes_change_while_it_runs(web):
    assert web.get("/api/moved").status == 500
    with web.connect() as s:
        s.sendall(b"GET /api/slow HTTP/1.1\r\nHost: h\r\n\r\n")
        assert web.get("/api/swap").status == 200
        # The same path in the same change: out with one endpoint, in with the other.
        assert web.get("/api/moved").status == 200
        assert s.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_conflict_is_refused_as_a_whole(web):
    a = web.get("/api/collide")
    assert a.status == 500 and b"route pattern conflicts detected" in a.body
    assert web.get("/api/a/x").status == 404


def test_a_taken_port_fails_the_service(wippy, tmp_path):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        server = {"name": "web", "kind": "http.service", "addr": f"127.0.0.1:{s.getsockname()[1]}",
                  "lifecycle": {"auto_start": True}}
        with wippy.start(write_project(tmp_path, [server]), "run") as program:
            end = time.monotonic() + 15
            while "address already in use" not in "".join(program.stdout + program.stderr):
                assert time.monotonic() < end, program.stderr
                time.sleep(0.05)
            program.signal()
            program.wait()


ROUTER = {"name": "r", "kind": "http.router", "meta": {"server": "web"}}


@pytest.mark.parametrize("server, entries, words", [
    ({"addr": ""}, [], "address is required"),
    ({"timeouts": {"read": 5}}, [], "invalid read timeout"),
    ({"timeouts": {"idle": "-1s"}}, [], "idle timeout must be non-negative"),
    ({"host": {"buffer_size": -1}}, [], "buffer size must be non-negative"),
    ({}, [{"name": "r", "kind": "http.router"}], "metadata is required"),
    ({}, [{"name": "r", "kind": "http.router", "meta": {"server": "nonesuch"}}], "server not found"),
    ({}, [ROUTER, {**ROUTER, "name": "s"}], "router prefix already exists"),
    ({}, [{**ROUTER, "middleware": ["nonesuch"]}], "failed to create middleware: middleware not found: nonesuch"),
    ({}, [{**ROUTER, "middleware": ["cors"], "options": {"cors.max.age": 5}}], "must be a string"),
    ({}, [ROUTER, endpoint("e", "/a", "f", "get", "r")], "invalid HTTP method: get"),
    ({}, [ROUTER, endpoint("e", "a", "f", "GET", "r")], "path must start with /"),
    ({}, [ROUTER, endpoint("e", "/a", "", "GET", "r")], "function name is required"),
    ({}, [endpoint("e", "/a", "f", "GET", "r")], "router not found"),
    ({}, [ROUTER, endpoint("e", "/{a}.json", "f", "GET", "r")], "bad route pattern"),
    ({}, [ROUTER, endpoint("e", "/{a}", "f", "GET", "r"), endpoint("f", "/{b}", "f", "GET", "r")],
     "route pattern conflicts detected"),
])
def test_what_is_refused(wippy, tmp_path, server, entries, words):
    web = {"name": "web", "kind": "http.service", "addr": f"127.0.0.1:{free_port()}", **server}
    r = wippy.run(write_project(tmp_path, [web, *entries]), "run")
    assert r.code != 0 and words in r.stderr + r.stdout, r
