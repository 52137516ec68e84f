"""http.service with TLS: whom it lets in, which certificate it shows, what is refused before it starts, and requests as without TLS."""
import json
import os
import socket
import ssl
import subprocess
import time

import pytest

from certificates import Certificates
from web import Answer, free_port, serving, write_project

HANDLERS = """
local http = require("http")
local ctx = require("ctx")
local function who()
    local req, res = http.request(), http.response()
    local state = require("system").supervisor.state("app:web")
    res:write_json({ state = state and state.details, tls = req:is_tls(), certificate = req:client_certificate(), host = req:host(), request = (ctx.get("request_id")) })
end
local function echo()
    local req, res = http.request({ max_body = 64 * 1024 * 1024 }), http.response()
    local stream = req:stream()
    local chunks = {}
    while true do
        local chunk = stream:read()
        if not chunk then break end
        chunks[#chunks + 1] = chunk
    end
    for _, chunk in ipairs(chunks) do res:write(chunk) end
end
local function slow()
    require("time").sleep("700ms")
    http.response():write("slept")
end
return { who = who, echo = echo, slow = slow }
"""


def function(name):
    return {"name": name, "kind": "function.lua", "source": HANDLERS, "method": name, "modules": ["http", "time", "ctx", "system"]}


def endpoint(name, method="GET", router="api"):
    return {"name": f"{name}_{router}", "kind": "http.endpoint", "meta": {"router": router}, "method": method, "path": "/" + name,
            "func": name}


ENTRIES = [
    {"name": "processes", "kind": "process.host", "lifecycle": {"auto_start": True}},
    {"name": "api", "kind": "http.router", "meta": {"server": "web"}, "middleware": ["request_id"]},
    {"name": "other_host", "kind": "http.router", "meta": {"server": "web"}, "prefix": "Shop.Test/v1"},
    function("who"), function("echo"), function("slow"),
    endpoint("who"), endpoint("echo", "POST"), endpoint("slow"), endpoint("who", router="other_host"),
]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


class Tls:
    """Asks a server through TLS; every ask is a connection of its own unless it is told otherwise."""

    def __init__(self, web, certificates):
        self.web, self.certificates = web, certificates

    def context(self, client=None, **fields):
        c = ssl.create_default_context(cafile=self.certificates.dir / "ca.pem")
        if client:
            c.load_cert_chain(self.certificates.dir / (client + ".pem"), self.certificates.dir / (client + ".key"))
        for name, value in fields.items():
            setattr(c, name, value)
        return c

    def connect(self, client=None, name="tls.test", context=None):
        return (context or self.context(client)).wrap_socket(self.web.connect(), server_hostname=name)

    def ask(self, method, target, *fields, body=b"", host="tls.test", **how):
        with self.connect(**how) as s:
            head = [f"{method} {target} HTTP/1.1", f"Host: {host}", "Connection: close", *fields]
            if body:
                head.append(f"Content-Length: {len(body)}")
            s.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)
            # A cut without close_notify raises.
            s.suppress_ragged_eofs = False
            out = []
            while chunk := s.recv(65536):
                out.append(chunk)
        return Answer(b"".join(out), method)

    def get(self, target, *fields, **how):
        return self.ask("GET", target, *fields, **how)


def tls_block(made, name="server", **more):
    return {"mode": "manual", "cert": made.text(name + ".pem"), "key": made.text(name + ".key"), **more}


@pytest.fixture(scope="module")
def site(wippy, tmp_path_factory, slower, certificates):
    certificates.issue("shop", "DNS:shop.test,DNS:*.shop.test")
    by_name = [{"hosts": ["shop.test", "*.shop.test"], "cert": certificates.text("shop.pem"), "key": certificates.text("shop.key")}]
    server = {"tls": tls_block(certificates, certificates=by_name), "timeouts": {"read": "1500ms"}}
    with serving(wippy, tmp_path_factory.mktemp("tls"), ENTRIES, slower=slower, server=server) as web:
        yield Tls(web, certificates)


def test_a_request(site):
    a = site.get("/who")
    assert a.status == 200 and a.whole
    assert a.json() == {"tls": True, "host": "tls.test", "request": a["X-Request-Id"],
                        "state": f"service listening on 127.0.0.1:{site.web.port}"}
    assert len(a["X-Request-Id"]) == 36


def test_the_request_id_of_the_client(site):
    a = site.get("/who", "X-Request-Id: from-a-proxy.1")
    assert a["X-Request-Id"] == a.json()["request"] == "from-a-proxy.1"


def test_a_prefix_with_a_host(site):
    assert site.get("/v1/who", host="shop.test:444").json()["host"] == "shop.test:444"
    assert site.get("/v1/who", host="SHOP.TEST").status == 200
    assert site.get("/v1/who", host="tls.test").status == 404
    assert site.get("/v1/who", host="x.shop.test").status == 404
    # Routes of any host are still there.
    assert site.get("/who", host="shop.test").status == 200


@pytest.mark.parametrize("name, subject", [
    ("tls.test", "server"), ("shop.test", "shop"), ("SHOP.test", "shop"), ("a.shop.test", "shop"), ("a.b.shop.test", "server"),
    ("elsewhere.test", "server"), (None, "server"),
])
def test_the_certificate_by_name(site, name, subject):
    context = site.context(check_hostname=False)
    with site.connect(name=name, context=context) as s:
        assert dict(p[0] for p in s.getpeercert()["subject"])["commonName"] == f"wippy test {subject}"


def test_large_bodies_both_ways(site):
    body = os.urandom(4096) * 2500
    with site.connect() as s:
        s.sendall(b"POST /echo HTTP/1.1\r\nHost: tls.test\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body))
        s.setblocking(False)
        sent, got = 0, bytearray()
        end = time.monotonic() + 60
        while time.monotonic() < end:
            moved = False
            try:
                if sent < len(body):
                    sent += s.send(body[sent:sent + 65536])
                    moved = True
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                pass
            try:
                chunk = s.recv(65536)
                if not chunk:
                    break
                got += chunk
                moved = True
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                pass
            if not moved:
                time.sleep(0.001)
    a = Answer(bytes(got), "POST")
    assert a.whole and a.body == body


def test_kept_alive_and_pipelined(site):
    with site.connect() as s:
        for _ in range(3):
            s.sendall(b"GET /who HTTP/1.1\r\nHost: tls.test\r\n\r\n" * 5)
            out = b""
            while out.count(b"HTTP/1.1 200") < 5 or not out.endswith(b"}"):
                chunk = s.recv(65536)
                assert chunk
                out += chunk
            assert out.count(b'"tls":true') == 5


def test_a_request_byte_by_byte(site):
    with site.connect() as s:
        for c in b"GET /who HTTP/1.1\r\nHost: tls.test\r\nConnection: close\r\n\r\n":
            s.sendall(bytes([c]))
        out = b""
        while chunk := s.recv(65536):
            out += chunk
    assert Answer(out, "GET").status == 200


def test_a_client_that_ended_its_side(site):
    """close_notify after the request, as openssl s_client sends it: it still gets its answer."""
    with site.web.connect() as raw:
        into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = site.context().wrap_bio(into, out, server_hostname="tls.test")

        def step(what):
            while True:
                try:
                    return what()
                except ssl.SSLWantReadError:
                    if out.pending:
                        raw.sendall(out.read())
                    data = raw.recv(65536)
                    into.write(data) if data else into.write_eof()
                finally:
                    if out.pending:
                        raw.sendall(out.read())

        step(tls.do_handshake)
        step(lambda: tls.write(b"GET /slow HTTP/1.1\r\nHost: tls.test\r\n\r\n"))
        with pytest.raises(ssl.SSLWantReadError):
            tls.unwrap()
        raw.sendall(out.read())
        raw.shutdown(socket.SHUT_WR)
        answer = b""
        while b"slept" not in answer:
            answer += step(lambda: tls.read(65536))
    assert b"200 OK" in answer


def test_resumption(site):
    context = site.context(maximum_version=ssl.TLSVersion.TLSv1_2)
    with site.connect(context=context) as s:
        session = s.session
        s.sendall(b"GET /who HTTP/1.1\r\nHost: tls.test\r\n\r\n")
        assert s.recv(65536).startswith(b"HTTP/1.1 200")
    with context.wrap_socket(site.web.connect(), server_hostname="tls.test", session=session) as s:
        assert s.session_reused


def test_curl(site):
    r = subprocess.run(["curl", "-sS", "--cacert", str(site.certificates.dir / "ca.pem"), "--resolve", f"tls.test:{site.web.port}:127.0.0.1",
                        "-w", " %{http_version} %{ssl_verify_result}", f"https://tls.test:{site.web.port}/who"],
                       capture_output=True, text=True, timeout=30)
    assert r.returncode == 0 and r.stdout.endswith(" 1.1 0") and '"tls":true' in r.stdout, r


@pytest.mark.parametrize("version, works", [("-tls1", False), ("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)])
def test_versions(site, version, works):
    r = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{site.web.port}", "-cipher", "ALL:@SECLEVEL=0", version],
                       input="", capture_output=True, text=True, timeout=30)
    assert ("Verification error" in r.stdout and "Cipher is (NONE)" not in r.stdout) == works, r.stdout[-2000:]
    assert ("alert protocol version" in r.stderr) == (not works), r.stderr


def test_plain_http_to_the_port(site):
    data = site.web.raw(b"GET / HTTP/1.1\r\nHost: tls.test\r\n\r\n")
    assert data.startswith(b"HTTP/1.0 400 Bad Request\r\n") and data.endswith(b"\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")


@pytest.mark.parametrize("data", [b"\x16\x03\x01\x02\x00", b"", os.urandom(500), b"SSH-2.0-x\r\n"])
def test_handshakes_that_do_not_come(site, data):
    """Cut when timeouts.read is over, or at once; others are served meanwhile."""
    begin = time.monotonic()
    with site.web.connect() as s:
        s.sendall(data)
        assert site.get("/who").status == 200
        try:
            while s.recv(4096):
                pass
        except ConnectionResetError:
            pass
    assert time.monotonic() - begin < 15


def test_many_at_once(site):
    context = site.context()
    open_ones = [site.connect(context=context) for _ in range(60)]
    for s in open_ones:
        s.sendall(b"GET /slow HTTP/1.1\r\nHost: tls.test\r\nConnection: close\r\n\r\n")
    for s in open_ones:
        with s:
            out = b""
            while chunk := s.recv(65536):
                out += chunk
            assert out.endswith(b"slept")


# -- certificates of clients ------------------------------------------------------------------------------

NOBODY, OURS, STRANGER = None, "client", "stranger"


@pytest.mark.parametrize("mode, let_in", [
    ("", {NOBODY: None, OURS: None, STRANGER: None}),
    ("request", {NOBODY: None, OURS: False, STRANGER: False}),
    ("require_any", {OURS: False, STRANGER: False}),
    ("verify_if_given", {NOBODY: None, OURS: True}),
    ("require_and_verify", {OURS: True}),
])
def test_client_auth(wippy, tmp_path, slower, certificates, mode, let_in):
    more = {"client_auth": mode} if mode else {}
    if mode.startswith(("verify", "require_and")):
        more["client_ca"] = certificates.text("ca.pem")
    with serving(wippy, tmp_path, ENTRIES, slower=slower, server={"tls": tls_block(certificates, **more)}) as web:
        site = Tls(web, certificates)
        for who in (NOBODY, OURS, STRANGER):
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                context = site.context(who, maximum_version=version)
                if who not in let_in:
                    with pytest.raises((ssl.SSLError, ConnectionResetError, BrokenPipeError)):
                        site.get("/who", context=context)
                    continue
                want = None if let_in[who] is None else {"subject": f"CN=wippy test {who}", "verified": let_in[who]}
                assert site.get("/who", context=context).json().get("certificate") == want


# -- where texts come from, and what is refused ---------------------------------------------------------------

def test_texts_by_placeholder_variable_and_file(wippy, tmp_path, slower, certificates):
    variables = [
        {"name": "fixed", "kind": "env.storage.static",
         "values": {"CERT": certificates.text("server.pem"), "KEY": certificates.text("server.key"), "CA": certificates.text("ca.pem")}},
        *[{"name": n.lower(), "kind": "env.variable", "variable": n, "storage": "app:fixed"} for n in ("CERT", "KEY", "CA")],
    ]
    files = {"src/s.pem": certificates.text("server.pem"), "src/s.key": certificates.text("server.key"), "src/ca.pem": certificates.text("ca.pem")}
    ways = {
        "placeholder": {"cert": "${env:CERT}", "key": "${env:KEY}", "client_ca": "${env:CA}"},
        "variable": {"cert_env": "CERT", "key_env": "app:key", "client_ca_env": "ca"},
        "file": {"cert": "file://s.pem", "key": "file://s.key", "client_ca": "file://ca.pem"},
    }
    for way, block in ways.items():
        server = {"tls": {"mode": "manual", "client_auth": "require_and_verify", **block}}
        with serving(wippy, tmp_path / way, [*ENTRIES, *variables], files, slower=slower, server=server) as web:
            site = Tls(web, certificates)
            assert site.get("/who", client="client").json()["certificate"]["verified"], way
            with pytest.raises((ssl.SSLError, ConnectionResetError, BrokenPipeError)):
                site.get("/who")


MANUAL = {"mode": "manual"}
PAIR = {**MANUAL, "cert": "c", "key": "k"}
BY_ENV = {"cert_env": "C", "key_env": "K"}


@pytest.mark.parametrize("tls, words", [
    ({"cert": "c"}, "tls.mode=off must not set cert/key or mTLS fields"),
    ({"client_auth": "request"}, "tls.mode=off must not set cert/key or mTLS fields"),
    ({"certificates": [{}]}, "tls.mode=off must not set cert/key or mTLS fields"),
    ({"mode": "auto", "key_env": "K"}, "tls.mode=auto must not set cert/key (driver-managed)"),
    ({"mode": "auto", "client_ca": "c"}, "mTLS (client_auth) requires tls.mode=manual"),
    ({**MANUAL, "cert": "c"}, "tls.mode=manual: cert and key must both be set"),
    ({**MANUAL, "cert": "c", "key": "k", "key_env": "K"}, "tls.mode=manual: cert_env and key_env must both be set"),
    (MANUAL, "tls.mode=manual requires cert+key or cert_env+key_env"),
    ({**PAIR, **BY_ENV}, "set either cert+key or cert_env+key_env, not both"),
    ({**PAIR, "client_ca": "c", "client_ca_env": "C"}, "set either client_ca or client_ca_env, not both"),
    ({**PAIR, "client_ca": "c"}, "client_ca set but client_auth is empty"),
    ({**PAIR, "client_auth": "verify_if_given"}, "client_auth verification modes require client_ca or client_ca_env"),
    ({**PAIR, "client_auth": "require_and_verify"}, "client_auth verification modes require client_ca or client_ca_env"),
    ({**PAIR, "client_auth": "perhaps"}, "invalid tls.client_auth: perhaps"),
    ({"mode": "on"}, "invalid tls.mode: on"),
    ({"mode": 5}, "failed to unmarshal config"),
    ("manual", "field 'tls' must be a map"),
    ({**PAIR, "certificates": {"a": 1}}, "field 'tls.certificates' must be a list"),
    ({**PAIR, "certificates": [{"hosts": [], "cert": "c", "key": "k"}]}, "tls.certificates[0]: hosts must list 1 to 256 names"),
    ({**PAIR, "certificates": [{"hosts": "a b", "cert": "c", "key": "k"}]}, "tls.certificates[0]: invalid host 'a b'"),
    ({**PAIR, "certificates": [{"hosts": ["a.*.test"], "cert": "c", "key": "k"}]}, "invalid host 'a.*.test'"),
    ({**PAIR, "certificates": [{"hosts": "a.test", "cert": "c"}]}, "tls.certificates[0]: cert and key must both be set"),
])
def test_what_is_refused(wippy, tmp_path, tls, words):
    web = {"name": "web", "kind": "http.service", "addr": f"127.0.0.1:{free_port()}", "tls": tls}
    r = wippy.run(write_project(tmp_path, [web]), "run")
    assert r.code != 0 and "invalid configuration: " in r.stderr + r.stdout and words in r.stderr + r.stdout, r


@pytest.mark.parametrize("tls, words", [
    ({"mode": "auto"}, "tls.mode=auto requires an overlay network driver"),
    ({**PAIR}, "failed to load TLS cert/key"),
    ({**MANUAL, **BY_ENV}, "failed to resolve TLS env variable: C"),
    ("mismatch", "failed to load TLS cert/key: tls: private key does not match public key"),
    ("half", "failed to load TLS cert/key: tls: failed to parse private key"),
    ("no ca", "client_ca PEM contains no valid certificates"),
])
def test_what_fails_at_the_start(wippy, tmp_path, certificates, tls, words):
    key = certificates.text("server.key")
    if tls == "mismatch":
        tls = {**tls_block(certificates), "key": certificates.text("client.key")}
    elif tls == "half":
        tls = {**tls_block(certificates), "key": key[:len(key) // 2]}
    elif tls == "no ca":
        tls = {**tls_block(certificates), "client_auth": "request", "client_ca": "none"}
    port = free_port()
    web = {"name": "web", "kind": "http.service", "addr": f"127.0.0.1:{port}", "tls": tls, "lifecycle": {"auto_start": True}}
    with wippy.start(write_project(tmp_path, [web]), "run") as program:
        end = time.monotonic() + 20
        while words not in "".join(program.stderr) + "".join(program.stdout):
            assert time.monotonic() < end, "".join(program.stderr)
            time.sleep(0.05)
        # Never without what was asked for.
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 1)
        said = "".join(program.stderr) + "".join(program.stdout)
        assert key.splitlines()[1][:20] not in said
        program.signal()
        program.wait()


def test_keys_are_not_shown(wippy, tmp_path, certificates):
    key = certificates.text("server.key")
    by_name = [{"hosts": "shop.test", "cert": certificates.text("server.pem"), "key": "file://s.key"}]
    web = {"name": "web", "kind": "http.service", "addr": "127.0.0.1:1", "tls": tls_block(certificates, certificates=by_name)}
    folder = write_project(tmp_path, [web], {"src/s.key": key})
    for how in (["registry", "show", "app:web"], ["registry", "show", "app:web", "--json"], ["registry", "list", "--json"]):
        r = wippy.run(folder, *how)
        assert key.splitlines()[1][:20] not in r.stdout + r.stderr, how
    r = wippy.run(folder, "registry", "show", "app:web", "--json")
    assert r.code == 0 and "[redacted]" in r.stdout and "BEGIN CERTIFICATE" in r.stdout


# -- the access log ------------------------------------------------------------------------------------------

def test_access_log(wippy, tmp_path, slower, certificates):
    with serving(wippy, tmp_path, ENTRIES, slower=slower, server={"tls": tls_block(certificates), "access_log": True}) as web:
        site = Tls(web, certificates)
        site.get("/who?token=hush-hush", "X-Request-Id: one")
        site.get("/no%0Asuch%FF" + "x" * 2000)
        site.ask("POST", "/echo", body=b"x" * 1000)
        with site.connect() as s:
            s.sendall(b"GET /slow HTTP/1.1\r\nHost: tls.test\r\n\r\n")
            time.sleep(0.2)
        end = time.monotonic() + 20
        while sum('"path"' in line for line in web.program.stderr + web.program.stdout) < 4:
            assert time.monotonic() < end, "".join(web.program.stderr)
            time.sleep(0.05)
        lines = [line for line in web.program.stderr + web.program.stdout if '"path"' in line]
        said = [json.loads(line[line.index("{"):]) for line in lines]
        assert [(f["method"], f["path"][:4], f["status"], f["server"], f.get("request_id", "")[:3]) for f in said[:2]] == [
            ("GET", "/who", 200, "app:web", "one"), ("GET", "/no\n", 404, "app:web", "")]
        assert 1000 < len(said[1]["path"]) < 1100
        assert said[2]["bytes"] == 1000 and said[2]["remote"].startswith("127.0.0.1:") and said[2]["duration_ms"] > 0
        assert (said[3]["path"], said[3]["status"]) == ("/slow", 499), said[3]
        assert "hush" not in "".join(web.program.stderr + web.program.stdout)


def test_no_access_log_unless_asked_for(site):
    site.get("/who")
    assert not [line for line in site.web.program.stderr + site.web.program.stdout if '"path"' in line]


# -- changes while it runs -----------------------------------------------------------------------------------

CHANGE = """
local http = require("http")
local registry = require("registry")
local json = require("json")
local function change()
    local tls = json.decode(http.request():body())
    local web = registry.get("app:web")
    web.data.tls = tls
    local changes = registry.snapshot():changes()
    changes:update({ id = "app:web", kind = web.kind, meta = web.meta, data = web.data })
    local _, err = changes:apply()
    http.response():write(err and tostring(err) or "done")
end
return { change = change }
"""


def test_a_new_certificate_while_it_runs(wippy, tmp_path, slower, certificates):
    entries = [
        *ENTRIES,
        {"name": "change", "kind": "function.lua", "source": CHANGE, "method": "change", "modules": ["http", "registry", "json"]},
        endpoint("change", "POST"),
    ]
    with serving(wippy, tmp_path, entries, slower=slower, server={"tls": tls_block(certificates)}) as web:
        site = Tls(web, certificates)

        def change(block):
            return site.ask("POST", "/change", body=json.dumps(block).encode()).body.decode()

        def shown():
            with site.connect() as s:
                return dict(p[0] for p in s.getpeercert()["subject"])["commonName"]

        kept = site.connect()
        assert shown() == "wippy test server"
        assert "failed to load TLS cert/key" in change({**tls_block(certificates), "key": certificates.text("client.key")})
        assert shown() == "wippy test server"
        assert change(tls_block(certificates, "named")) == "done"
        assert shown() == "wippy test named"
        # A connection goes on as it began, and new clients must now show a certificate.
        assert change(tls_block(certificates, client_auth="require_any")) == "done"
        with pytest.raises((ssl.SSLError, ConnectionResetError, BrokenPipeError)):
            site.get("/who")
        kept.sendall(b"GET /who HTTP/1.1\r\nHost: tls.test\r\n\r\n")
        assert kept.recv(65536).startswith(b"HTTP/1.1 200")
        kept.close()


def test_stop_while_requests_run(wippy, tmp_path, slower, certificates):
    """The answer is whole, and ends with close_notify."""
    port = free_port()
    server = {"name": "web", "kind": "http.service", "addr": f"127.0.0.1:{port}", "lifecycle": {"auto_start": True},
              "tls": tls_block(certificates)}
    folder = write_project(tmp_path, [server, *ENTRIES])
    with wippy.start(folder, "run") as program:
        end = time.monotonic() + 15 * slower
        while True:
            try:
                raw = socket.create_connection(("127.0.0.1", port), 1)
                break
            except OSError:
                assert time.monotonic() < end, "".join(program.stderr)
                time.sleep(0.02)
        raw.settimeout(20)
        context = ssl.create_default_context(cafile=certificates.dir / "ca.pem")
        with context.wrap_socket(raw, server_hostname="tls.test", suppress_ragged_eofs=False) as s:
            s.sendall(b"GET /slow HTTP/1.1\r\nHost: tls.test\r\n\r\n")
            time.sleep(0.2)
            program.signal()
            out = b""
            while chunk := s.recv(65536):
                out += chunk
            assert out.endswith(b"slept") and out.startswith(b"HTTP/1.1 200")
        assert program.wait() == 0
