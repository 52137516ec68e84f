"""Whatever happens to an overlay, the request ends in a typed error within its deadline, and nothing is sent directly."""
import socket
import threading

import pytest

ASK = 'local function main(url, timeout) say(ask(url, { timeout = timeout, overlay_network = "app:proxy" })) end'
TIMEOUT, SLACK = 0.4, 2.0


def read_exactly(s, n):
    data = b""
    while len(data) < n:
        more = s.recv(n - len(data))
        if not more:
            raise ConnectionError(data)
        data += more
    return data


class Script:
    """A SOCKS5 proxy that plays its part up to a phase, and then does something else with the connection."""

    PHASES = ("greeting", "method", "auth", "reply", "headers", "body", "end")
    ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 10

    def __init__(self, phase, then=None, credentials=False):
        self.until, self.then, self.credentials = self.PHASES.index(phase), then, credentials

    def reached(self, phase, s):
        if self.PHASES.index(phase) >= self.until:
            if self.then:
                self.then(s)
            return True
        return False

    def __call__(self, s):
        if self.reached("greeting", s):
            return
        read_exactly(s, read_exactly(s, 2)[1])
        if self.reached("method", s):
            return
        s.sendall(b"\x05\x02" if self.credentials else b"\x05\x00")
        if self.credentials:
            read_exactly(s, read_exactly(s, 2)[1])
            read_exactly(s, read_exactly(s, 1)[0])
            if self.reached("auth", s):
                return
            s.sendall(b"\x01\x00")
        atyp = read_exactly(s, 4)[3]
        read_exactly(s, {1: 4, 4: 16}.get(atyp) or read_exactly(s, 1)[0])
        read_exactly(s, 2)
        if self.reached("reply", s):
            return
        s.sendall(b"\x05\x00\x00\x01" + bytes(6))
        data = b""
        while b"\r\n\r\n" not in data:
            # A TLS hello has no such end: the server that never says anything.
            data += read_exactly(s, 1)
        if self.reached("headers", s):
            return
        s.sendall(self.ANSWER)
        self.reached("end", s)


@pytest.fixture
def target(peer):
    """Where a direct connection would arrive."""
    return peer(lambda s: s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\ndirect"))


def check_in_time(r, slower):
    assert TIMEOUT * 0.9 <= r.seconds <= (TIMEOUT + SLACK) * slower, r


STALLS = {
    "method": (Script("method"), "http", "socks_handshake_timeout", "waiting for the proxy to choose an authentication method"),
    "auth": (Script("auth", credentials=True), "http", "socks_handshake_timeout", "waiting for the proxy to check the credentials"),
    "reply": (Script("reply"), "http", "socks_handshake_timeout", "waiting for the proxy to connect to the target"),
    "tls": (Script("end"), "https", "timeout_tls", "while awaiting headers"),
    "first byte": (Script("headers"), "http", "timeout_headers", "while awaiting headers"),
    "mid-body": (Script("end"), "http", "timeout_body", "while reading body"),
}


# What a proxy may send a byte at a time without ever coming to an end.
DRIPS = {"reply": b"\x05\x00\x00\x03\xff" + b"n" * 100, "first byte": b"HTTP/1.1 200 OK\r\nA: " + b"a" * 100, "mid-body": b"y" * 80}


@pytest.mark.parametrize("phase, dribble", [*((p, False) for p in STALLS), *((p, True) for p in DRIPS)])
def test_a_stalling_proxy(lua, overlay, peer, target, slower, phase, dribble):
    script, scheme, code, words = STALLS[phase]
    if dribble:
        script = Script(script.PHASES[script.until], lambda s: drip(s, DRIPS[phase]))
    proxy = peer(script)
    r = lua(ASK, f"{scheme}://127.0.0.1:{target.port}/", f"{TIMEOUT}s",
            overlays=[overlay("proxy", proxy.port, **({"username": "u", "password": "p"} if phase == "auth" else {}))])
    got = r.only
    assert got["code"] == code, got
    assert "context deadline exceeded" in got["error"] and "Client.Timeout" in got["error"] and words in got["error"], got
    assert (got["kind"], got["retryable"]) == ("Internal", True)
    check_in_time(r, slower)
    assert (proxy.connections, target.connections) == (1, 0)
    assert proxy.wait_closed(1)


def drip(s, data):
    for i in range(len(data)):
        s.sendall(data[i:i + 1])
        s.settimeout(0.05)
        try:
            if not s.recv(1):
                return
        except TimeoutError:
            pass


def test_a_proxy_that_does_not_take_the_connection(lua, overlay, target, slower):
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for f in fillers:
            f.setblocking(False)
            f.connect_ex(("127.0.0.1", port))
        r = lua(ASK, f"http://127.0.0.1:{target.port}/", f"{TIMEOUT}s", overlays=[overlay("proxy", port)])
        for f in fillers:
            f.close()
    assert r.only["code"] == "connect_timeout", r
    assert f"dial tcp 127.0.0.1:{port}: i/o timeout" in r.only["error"], r
    check_in_time(r, slower)
    assert target.connections == 0


# What the proxy does instead of its next message, and the code that must come of it.
CUTS = {
    ("greeting", "close"): "socks_closed",
    ("method", "close"): "socks_closed",
    ("method", "reset"): "socks_closed",
    ("auth", "close"): "socks_closed",
    ("reply", "close"): "socks_closed",
    ("reply", "reset"): "socks_closed",
    ("headers", "close"): "eof",
    ("headers", "reset"): "connection_reset",
    ("end", "close"): "eof",
    ("method", b"HTTP/1.1 400 Bad Request\r\n\r\n"): "socks_bad_version",
    ("method", b"\x04\x5a"): "socks_bad_version",
    ("method", b"\x05\x01"): "socks_bad_method",
    ("method", b"\x05\xff"): "socks_no_method",
    ("auth", b"\x05\x00"): "socks_bad_version",
    ("auth", b"\x01\x07"): "socks_auth_failed",
    ("reply", b"\x05\x00\x01\x01" + bytes(6)): "socks_bad_reply",
    ("reply", b"\x05\x00\x00\x02" + bytes(6)): "socks_bad_reply",
    ("reply", b"\x00\x5a\x00\x00" + bytes(4)): "socks_bad_version",
    ("reply", b"\x05\x2a\x00\x01" + bytes(6)): "socks_unknown_reply",
    ("headers", b"no HTTP at all\r\n\r\n"): "bad_response",
    ("headers", b"\x00" * 1000): "bad_response",
}
CUTS.update({("reply", bytes([5, n, 0, 1]) + bytes(6)): "socks_" + word for n, word in enumerate(
    ("general_failure", "ruleset", "network_unreachable", "host_unreachable", "connection_refused", "ttl_expired",
     "command_not_supported", "address_type_not_supported"), 1)})
CUTS.update({("reply", bytes([5, 0xf0 + n, 0, 1]) + bytes(6)): "socks_onion_" + word for n, word in enumerate(
    ("not_found", "invalid", "intro_failed", "rendezvous_failed", "auth_missing", "auth_wrong", "bad_address", "intro_timeout"))})


def cut(what):
    def then(s):
        if what == "reset":
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        elif what != "close":
            s.sendall(what)
        if what in ("close", "reset"):
            s.close()
        else:
            s.shutdown(socket.SHUT_WR)
    return then


@pytest.mark.parametrize("phase, what", CUTS, ids=lambda v: v if isinstance(v, str) else v[:12].hex())
def test_a_proxy_that_breaks_off_or_lies(lua, overlay, peer, target, slower, phase, what):
    proxy = peer(Script(phase, cut(what), credentials=phase == "auth"))
    r = lua(ASK, f"http://127.0.0.1:{target.port}/", "10s", overlays=[overlay("proxy", proxy.port, username="u", password="p")])
    got = r.only
    assert got["code"] == CUTS[phase, what], got
    assert (got["kind"], got["retryable"], got["overlay"]) == ("Internal", True, "app:proxy")
    if got["code"].startswith("socks_"):
        assert f"socks connect tcp 127.0.0.1:{proxy.port}->127.0.0.1:{target.port}: " in got["error"]
    assert r.seconds < 5 * slower and target.connections == 0


def test_a_reply_in_single_bytes_works(lua, overlay, start_rig, peer, address_server):
    """A slow but honest proxy is no failure."""
    def slowly(s):
        proxy = socket.create_connection(("127.0.0.1", behind.port))
        threading.Thread(target=copy, args=(s, proxy), daemon=True).start()
        copy(proxy, s, 1)

    def copy(a, b, n=65536):
        try:
            while data := a.recv(n):
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass
    behind = start_rig("socks_count.py", "--source", "127.0.0.2", "--username", "u", "--password", "p")
    proxy = peer(slowly)
    r = lua(ASK, address_server.url, "10s", overlays=[overlay("proxy", proxy.port, username="u", password="p")])
    assert r.only["ip"] == "127.0.0.2", r


# -- nothing there -----------------------------------------------------------------------------------------------------------

def test_no_proxy_at_all(lua, overlay, nobody, target):
    got = lua(ASK, f"http://127.0.0.1:{target.port}/", "10s", overlays=[overlay("proxy", nobody)]).only
    assert got["error"] == (f'Get "http://127.0.0.1:{target.port}/": socks connect tcp 127.0.0.1:{nobody}->127.0.0.1:{target.port}: '
                            f"dial tcp 127.0.0.1:{nobody}: connect: connection refused")
    assert target.connections == 0


def test_a_proxy_whose_own_name_does_not_exist(lua, overlay, target):
    got = lua(ASK, f"http://127.0.0.1:{target.port}/", "10s", overlays=[overlay("proxy", 1080, host="proxy.invalid")]).only
    assert got["code"] == "no_such_host" and "proxy.invalid" in got["error"] and "no such host" in got["error"], got
    assert target.connections == 0


ASK_TWICE = """
local function main(url)
  say(ask(url, { timeout = "5s", overlay_network = "app:proxy" }))
  io.readline()
  for i = 1, 3 do
    say(ask(url, { timeout = "5s", overlay_network = "app:proxy" }))
  end
end
"""


@pytest.mark.parametrize("path", ["", "close"], ids=["kept-alive", "closed"])
def test_a_proxy_that_goes_away_between_requests(wippy, lua, overlay, start_rig, path):
    server = start_rig("what_is_my_address.py")
    proxy = start_rig("socks_count.py", "--source", "127.0.0.2")
    folder = lua.write(ASK_TWICE.replace("url)", f'url) url = "{server.url}{path}"', 1), overlays=[overlay("proxy", proxy.port)])
    with wippy.start(folder, "run", "go") as run:
        run.wait_for('"ip":"127.0.0.2"')
        proxy.stop()
        run.proc.stdin.write("\n")
        run.proc.stdin.flush()
        assert run.wait() == 0
    said = "".join(run.stdout)
    assert said.count("connect: connection refused") == 3, said
    assert "127.0.0.1\"" not in said


@pytest.mark.parametrize("id", ["app:nope", "proxy", "app:", ":proxy", "app:terminal", "app:go", "APP:PROXY", " app:proxy"])
def test_an_unknown_overlay(lua, overlay, counting_proxy, target, id):
    code = f'local function main(url) say(ask(url, {{ timeout = "5s", overlay_network = "{id}" }})) end'
    with counting_proxy.recording() as seen:
        got = lua(code, f"http://127.0.0.1:{target.port}/", overlays=[overlay("proxy", counting_proxy.port)]).only
    assert f'overlay network "{id}": network: service not found' in got["error"], got
    assert (got["kind"], got["retryable"]) == ("Internal", True)
    assert seen == [] and target.connections == 0


@pytest.mark.parametrize("host", ["hidden.onion", "HIDDEN.ONION", "a.b.onion.", "name.i2p", "ukeu3k5oycgaauneqgtnvselmt4yemvoilkln7jpvamvfx7dnkdq.b32.i2p"])
@pytest.mark.parametrize("network", ["", "direct"])
def test_hidden_names_need_an_overlay(lua, host, network):
    code = f'local function main(url) say(ask(url, {{ timeout = "5s", overlay_network = "{network}" }})) end'
    got = lua(code, f"http://{host}/").only
    assert got["code"] == "overlay_only_host", got
    assert host in got["error"] or host.lower() in got["error"]


@pytest.mark.parametrize("url", ["http://plain.test/", "http://hidden.onion/"])
def test_a_redirect_stays_on_the_overlay(lua, overlay, counting_proxy, peer, url):
    """All hops take the way of the first, also to names that only the proxy knows."""
    def answer(s):
        s.recv(65536)
        s.sendall(f"HTTP/1.1 302 Found\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n".encode())
    first = peer(answer)
    with counting_proxy.recording() as seen:
        got = lua(ASK, f"http://127.0.0.1:{first.port}/", "5s", overlays=[overlay("proxy", counting_proxy.port)]).only
    assert (got.get("ip"), got.get("url")) == ("127.0.0.2", url), got
    assert [s["host"] for s in seen] == ["127.0.0.1", url.split("/")[2]]


def test_a_redirect_to_a_hidden_name_does_not_leave_the_clear_network(lua, peer):
    def answer(s):
        s.recv(65536)
        s.sendall(b"HTTP/1.1 302 Found\r\nLocation: http://hidden.onion/\r\nContent-Length: 0\r\n\r\n")
    first = peer(answer)
    got = lua('local function main(url) say(ask(url)) end', f"http://127.0.0.1:{first.port}/").only
    assert got["code"] == "overlay_only_host", got


# -- the environment -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("spelling", [str.upper, str.lower])
def test_proxy_variables_of_the_environment_mean_nothing(lua, overlay, counting_proxy, address_server, tls_address_server, peer,
                                                         spelling):
    trap = peer(lambda s: s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\ntrap!!"))
    names = ("http_proxy", "https_proxy", "all_proxy", "socks_proxy", "ftp_proxy")
    env = {spelling(n): f"http://127.0.0.1:{trap.port}" for n in names}
    env[spelling("no_proxy")] = "*"
    code = """
local function main(clear, secure, ca)
  for _, url in ipairs({ clear, secure }) do
    say(ask(url, { tls = { insecure_skip_verify = true } }))
    say(ask(url, { overlay_network = "app:proxy", tls = { insecure_skip_verify = true } }))
  end
end
"""
    r = lua(code, address_server.url, tls_address_server.url, env=env, overlays=[overlay("proxy", counting_proxy.port)])
    assert [v.get("ip") for v in r.values] == ["127.0.0.1", "127.0.0.2"] * 2, r
    env.pop(spelling("no_proxy"))
    r = lua(code, address_server.url, tls_address_server.url, env=env, overlays=[overlay("proxy", counting_proxy.port)])
    assert [v.get("ip") for v in r.values] == ["127.0.0.1", "127.0.0.2"] * 2, r
    assert trap.connections == 0


def test_netrc_and_curlrc_of_the_user_mean_nothing(lua, overlay, counting_proxy, address_server, tmp_path, peer):
    home = tmp_path / "home"
    home.mkdir()
    (home / ".netrc").write_text("default login spy password spy\n")
    (home / ".curlrc").write_text("proxy = http://127.0.0.1:1\n")
    r = lua('local function main(url) for _, n in ipairs({ "direct", "app:proxy" }) do '
            "say(ask(url .. 'headers', { overlay_network = n })) end end",
            address_server.url, env={"HOME": home, "CURL_HOME": home}, overlays=[overlay("proxy", counting_proxy.port)])
    assert len(r.values) == 2 and "uthorization" not in r.stdout and "error" not in r.stdout, r
