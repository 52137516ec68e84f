"""Fixtures of the tests that watch the program on the network.

    lua          lua(code, ...) runs Lua code as a command of a project written for it and gives what it said
    overlay      overlay("proxy", port) describes a network.socks5 entry
    peer         peer(handle) starts a scripted server: handle(socket) plays one connection
    site         site({"/path": (200, {"Name": "value"}, b"body")}) starts an HTTP server that keeps what it was asked
    nobody       a port on which nobody listens
    slower       how many times longer things take under a sanitizer

The code may use `say(value)`, which prints one line of JSON, and `ask(url, options)`, which makes a GET request and gives a flat
table: status, ip and headers, or error, kind, code, retryable.
"""
import http.server
import json
import socket
import threading
import time

import pytest

PRELUDE = """\
local io = require("io")
local json = require("json")
local http_client = require("http_client")
local funcs = require("funcs")
local time = require("time")

local function say(value)
  io.print(json.encode(value))
end

local function told(resp, err)
  if err then
    return { error = tostring(err), kind = err:kind(), retryable = err:retryable(), code = (err:details() or {}).code,
      overlay = (err:details() or {}).overlay }
  end
  local ok, body = pcall(json.decode, resp.body or "null")
  return { status = resp.status_code, ip = ok and type(body) == "table" and body.ip or nil, headers = resp.headers,
    body = resp.body, size = resp.body_size, url = resp.url, cookies = resp.cookies }
end

local function ask(url, options)
  return told(http_client.get(url, options))
end

"""
# The prelude on one line, so that the lines of a test's code keep their numbers.
PRELUDE = PRELUDE.replace("\n", " ").strip() + " "
MODULES = ["io", "json", "http_client", "funcs", "time", "websocket"]


class Said:
    """What a run said: .code, .stdout, .stderr, .seconds, .values (its lines of JSON)."""

    def __init__(self, result):
        self.result = result
        self.code, self.stdout, self.stderr, self.seconds = result.code, result.stdout, result.stderr, result.seconds

    @property
    def values(self):
        return [json.loads(line) for line in self.stdout.splitlines() if line.startswith(("{", "[", '"'))]

    @property
    def only(self):
        assert len(self.values) == 1, repr(self)
        return self.values[0]

    def __repr__(self):
        return repr(self.result)


def code_entry(name, code, kind="process.lua", **fields):
    return {"name": name, "kind": kind, "source": PRELUDE + code + "\nreturn { main = main }\n", "method": "main",
            "modules": MODULES, **fields}


class Lua:
    """Writes a project around Lua code and runs it."""

    entry = staticmethod(code_entry)

    def __init__(self, wippy, project):
        self.wippy, self.project = wippy, project

    def write(self, code, overlays=(), functions=None, processes=None, entries=(), config=None, files=None):
        command = {"meta": {"command": {"name": "go"}}}
        index = {"version": "1.0", "namespace": "app", "entries": [
            {"name": "terminal", "kind": "terminal.host", "lifecycle": {"auto_start": True}},
            {"name": "processes", "kind": "process.host", "lifecycle": {"auto_start": True}},
            *overlays,
            *[code_entry(n, c, "function.lua") for n, c in (functions or {}).items()],
            *[code_entry(n, c) for n, c in (processes or {}).items()],
            *entries,
            code_entry("go", code, **command),
        ]}
        # YAML is a superset of JSON.
        return self.project({"src/_index.yaml": json.dumps(index, indent=1),
                             ".wippy.yaml": json.dumps({"version": "1.0", **config}) if config else None, **(files or {})})

    def __call__(self, code, *args, env=None, timeout=30, netns=None, **kw):
        folder = self.write(code, **kw)
        r = Said(self.wippy.run(folder, "run", "go", *(["--", *args] if args else []), env=env, timeout=timeout, netns=netns))
        assert r.code == 0, repr(r)
        return r

    def start(self, code, env=None, **kw):
        """The program running (conftest.Running), for tests that interfere."""
        return self.wippy.start(self.write(code, **kw), "run", "go", env=env)


@pytest.fixture
def lua(wippy, project):
    return Lua(wippy, project)


@pytest.fixture(scope="session")
def lua_in(wippy, project_in):
    """lua_in(folder): as `lua`, in a folder of one's own; for programs that run side by side."""
    return lambda folder: Lua(wippy, project_in(folder))


@pytest.fixture(scope="session")
def overlay():
    def make(name, port, host="127.0.0.1", **fields):
        return {"name": name, "kind": "network.socks5", "host": host, "port": port, **fields}
    return make


def refused_port():
    """A port on which nobody listens."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture
def nobody():
    return refused_port()


class Peer:
    """A server that handles each connection in a thread with `handle(socket)` and counts them."""

    def __init__(self, handle):
        self.handle = handle
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.connections, self.closed = 0, 0
        self.open = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            self.open.append(s)
            threading.Thread(target=self.serve, args=(s,), daemon=True).start()

    def serve(self, s):
        try:
            self.handle(s)
            while s.recv(65536):  # until the other side closes
                pass
        except OSError:
            pass
        finally:
            s.close()
            self.closed += 1

    def wait_closed(self, n, seconds=10):
        end = time.monotonic() + seconds
        while self.closed < n and time.monotonic() < end:
            time.sleep(0.01)
        return self.closed >= n

    def stop(self):
        self.listener.close()
        for s in self.open:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


@pytest.fixture
def peer():
    """peer(handle): a scripted server for one test."""
    made = []

    def make(handle):
        made.append(Peer(handle))
        return made[-1]
    yield make
    for p in made:
        p.stop()


class Asked:
    """One request as the server got it; .header(name) gives all its values."""

    def __init__(self, handler, body):
        self.method, self.path, self.body = handler.command, handler.path, body
        self.headers = list(handler.headers.items())
        self.client_certificate = getattr(handler.connection, "getpeercert", lambda: None)()

    def header(self, name):
        return [v for k, v in self.headers if k.lower() == name.lower()]

    def __repr__(self):
        return f"{self.method} {self.path} {self.headers} {self.body[:200]!r}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site = None

    def log_message(self, *_):
        pass

    def answer(self):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            body = b"(chunked)"
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = Asked(self, body)
        self.site.asked.append(asked)
        route = self.site.routes.get(self.path.split("?")[0], (200, {}, b"ok"))
        if callable(route):
            route = route(self, asked)
            if route is None:
                self.close_connection = True
                return
        status, headers, content = route
        self.send_response_only(status)
        for k, v in headers.items() if isinstance(headers, dict) else headers:
            self.send_header(k, v)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def __getattr__(self, name):
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)


class Site:
    """An HTTP server in a thread: .url, .port, .asked (what came), .connections"""

    def __init__(self, routes, context=None):
        self.routes, self.asked, self.connections = routes or {}, [], 0
        handler = type("SiteHandler", (Handler,), {"site": self})
        site = self

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def get_request(self):
                s, address = super().get_request()
                site.connections += 1
                return s, address

            def finish_request(self, request, client_address):
                if context:
                    request.settimeout(10)
                    request = context.wrap_socket(request, server_side=True)
                    request.settimeout(None)
                super().finish_request(request, client_address)

            def handle_error(self, request, client_address):
                pass

        self.server = Server(("127.0.0.1", 0), handler)
        self.port = self.server.server_address[1]
        self.url = f"http{'s' if context else ''}://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def site():
    made = []

    def make(routes=None, context=None):
        made.append(Site(routes, context))
        return made[-1]
    yield make
    for s in made:
        s.stop()


CALLS = """
local function main()
  for _, q in ipairs(json.decode([==[CALLS]==])) do
    local ok, resp, err = pcall(http_client[q[1]], q[2], q[3], q[4])
    say(ok and told(resp, err) or { raised = tostring(resp) })
  end
end
"""


@pytest.fixture(params=["direct", "app:proxy"])
def client(request, lua, overlay, counting_proxy):
    """client([["get", url, options], ...]) makes the calls one after the other and gives the flat tables; each test runs on the
    clear network and through a proxy."""
    def call(calls, **kw):
        text = json.dumps(calls)
        assert "]==]" not in text
        config = {"network_service": {"default_network": request.param}} if request.param != "direct" else None
        r = lua(CALLS.replace("CALLS", text), overlays=[overlay("proxy", counting_proxy.port)], config=config, **kw)
        assert len(r.values) == len(calls), r
        return r.values
    call.network = request.param
    return call
