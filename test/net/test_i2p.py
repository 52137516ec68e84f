"""Over a private I2P network of real i2pd routers: one bridge for the client, another for the server behind it."""
import json
import re
import socket
import threading
import time

import pytest

from web import write_project

pytestmark = pytest.mark.slow

TUNNELS = {"inbound_length": 1, "outbound_length": 1, "inbound_quantity": 2, "outbound_quantity": 2}
# For what serves. i2pd (2.45) makes a destination known when one of its inbound tunnels comes up, and only if it has an outbound one
# by then: if all inbound ones come first, nobody can find it for ten minutes. An outbound tunnel of length 0 is there at once.
SERVER_TUNNELS = {**TUNNELS, "outbound_length": 0}
# i2pd looks every 20 s whether a session's tunnels are there; then the routers have to learn where it is.
SESSION_SECONDS = 180

WHO = """
local http = require("http")
local function who()
    local req, res = http.request(), http.response()
    res:write_json({ address = req:remote_addr(), identity = req:peer_identity(), host = req:host() })
end
local function slow()
    require("time").sleep("15s")
    who()
end
return { who = who, slow = slow }
"""

# A bridge answers CANT_REACH_PEER until it has heard of the peer's tunnels. `patient` asks until it has.
PATIENT = """
local function patient(url, each)
  local started = time.now()
  while true do
    local begun = time.now()
    local got = ask(url, { timeout = each or "45s", overlay_network = "app:i2p" })
    got.ms = time.now():sub(begun):milliseconds()
    if got.status == 200 then got.body = json.decode(got.body) return got end
    if time.now():sub(started):seconds() > 180 then return got end
    time.sleep("500ms")
  end
end
""".replace("\n", " ")


def i2p_entry(port, host="127.0.0.1", **fields):
    return {"name": "i2p", "kind": "network.i2p", "host": host, "port": port, **TUNNELS, **fields}


class Hidden:
    """A program that serves HTTP over I2P only."""

    def __init__(self, program, address):
        self.program, self.address = program, address
        self.url = f"http://{address}/who"


def server_project(folder, port, **fields):
    folder.mkdir(exist_ok=True)
    return write_project(folder, [
        {"name": "processes", "kind": "process.host", "lifecycle": {"auto_start": True}},
        i2p_entry(port, session_name="hidden", **{**SERVER_TUNNELS, **fields}),
        {"name": "web", "kind": "http.service", "addr": ":80", "network": "app:i2p",
         "lifecycle": {"auto_start": True, "start_timeout": f"{SESSION_SECONDS}s"}},
        {"name": "api", "kind": "http.router", "meta": {"server": "web"}, "prefix": "/"},
        {"name": "who", "kind": "function.lua", "source": WHO, "method": "who", "modules": ["http"]},
        {"name": "slow", "kind": "function.lua", "source": WHO, "method": "slow", "modules": ["http", "time"]},
        {"name": "slow_ep", "kind": "http.endpoint", "meta": {"router": "api"}, "method": "GET", "path": "/slow", "func": "app:slow"},
        {"name": "who_ep", "kind": "http.endpoint", "meta": {"router": "api"}, "method": "GET", "path": "/who", "func": "app:who"},
    ])


def listening(program):
    program.wait_for("service listening", SESSION_SECONDS)
    text = "".join(program.stdout) + "".join(program.stderr)
    return re.search(r"service listening.*?([a-z2-7]{52}\.b32\.i2p)", text).group(1)


@pytest.fixture(scope="module")
def hidden(wippy, i2p_network, tmp_path_factory):
    """The server behind the second bridge, for the tests that only ask it."""
    folder = server_project(tmp_path_factory.mktemp("hidden") / "server", i2p_network.sam[1])
    with wippy.start(folder, "run") as program:
        yield Hidden(program, listening(program))
        program.signal()
        assert program.wait() == 0, "".join(program.stderr)[-3000:]


FIRST_AND_WARM = PATIENT + """
local function main(url)
  local first = patient(url)
  say(first)
  for i = 1, 5 do
    -- A new connection each time: what is warm is the session.
    local begun = time.now()
    local got = ask(url, { timeout = "30s", overlay_network = "app:i2p", headers = { Connection = "close" } })
    say({ status = got.status, error = got.error, ms = time.now():sub(begun):milliseconds() })
  end
end
"""


def test_a_request_from_bridge_to_bridge(lua, hidden, i2p_network):
    r = lua(FIRST_AND_WARM, hidden.url, timeout=2 * SESSION_SECONDS, overlays=[i2p_entry(i2p_network.sam[0])])
    first, warm = r.values[0], r.values[1:]
    assert first["status"] == 200, r
    who = first["body"]
    assert re.fullmatch(r"[a-z2-7]{52}\.b32\.i2p", who["address"]) and who["address"] != hidden.address
    assert who["identity"]["network"] == "i2p" and who["identity"]["address"] == who["address"]
    assert len(who["identity"]["destination"]) >= 516
    assert who["host"] == hidden.address
    assert [w.get("status") for w in warm] == [200] * 5, r
    total = r.seconds * 1000
    assert sorted(w["ms"] for w in warm)[2] <= 0.1 * total, (first["ms"], warm, total)


TWO_PROCESSES = """
local function main(url)
  local answers = process.listen("answer")
  for i = 1, 2 do process.spawn("app:one", "app:processes", url, process.pid()) end
  for i = 1, 2 do say(answers:receive()) end
end
"""
ONE = PATIENT + """
local function main(url, boss)
  local first, second = patient(url), patient(url)
  process.send(boss, "answer", { first.body and first.body.address or first.error, second.body and second.body.address or second.error })
end
"""


def test_two_processes_two_destinations(lua, hidden, i2p_network):
    r = lua(TWO_PROCESSES, hidden.url, timeout=2 * SESSION_SECONDS, processes={"one": ONE},
            overlays=[i2p_entry(i2p_network.sam[0], isolation="process")])
    one, two = r.values
    # Each keeps its own, and they differ.
    assert one[0] == one[1] and two[0] == two[1] and one[0] != two[0], r
    assert all(re.fullmatch(r"[a-z2-7]{52}\.b32\.i2p", a) for a in (one[0], two[0])), r


REFUSED = """
local function main()
  say(ask("http://example.com/", { timeout = "120s", overlay_network = "app:i2p" }))
  say(ask("http://nowhere.i2p/", { timeout = "60s", overlay_network = "app:i2p" }))
  say(ask("http://" .. string.rep("a", 52) .. ".b32.i2p/", { timeout = "60s", overlay_network = "app:i2p" }))
end
"""


def test_names_are_the_bridges_to_refuse(lua, i2p_network):
    r = lua(REFUSED, timeout=2 * SESSION_SECONDS, overlays=[i2p_entry(i2p_network.sam[0])])
    assert [v["code"] for v in r.values] == ["i2p_invalid_key", "i2p_invalid_key", "i2p_cant_reach_peer"], r
    assert all("STREAM CONNECT rejected: STREAM STATUS RESULT=" in v["error"] for v in r.values), r


def test_the_address_survives_a_restart(wippy, i2p_network, tmp_path):
    def start(**fields):
        folder = server_project(tmp_path / "server", i2p_network.sam[1], **fields)
        with wippy.start(folder, "run") as program:
            address = listening(program)
            program.signal()
            assert program.wait() == 0
        return address

    first = start()
    key = next((tmp_path / "server/.wippy/net/i2p").rglob("destination.key"))
    assert key.stat().st_mode & 0o777 == 0o600
    assert start() == first
    # A new one each time when that is wanted, and the kept one stays.
    text = key.read_text()
    assert start(persistent=False) != first
    assert key.read_text() == text


def with_url(code, url):
    """For programs that are started without arguments."""
    return f'local URL = "{url}" ' + PATIENT + code


def tell(program):
    program.proc.stdin.write("\n")
    program.proc.stdin.flush()


def answer(program, number, seconds):
    """What the program said the number-th time, when it does."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        lines = [line for line in program.stdout if line.startswith("{")]
        if len(lines) >= number:
            return json.loads(lines[number - 1])
        time.sleep(0.05)
    raise AssertionError("".join(program.stdout) + "".join(program.stderr))


BRIDGE_DIES = """
local function main()
  say(patient(URL))
  for _ = 1, 2 do
    io.readline()
    say(ask(URL, { timeout = "10s", overlay_network = "app:i2p" }))
    io.readline()
    say(patient(URL))
  end
end
"""


def test_the_clients_bridge_dies_and_comes_back(lua, hidden, i2p_network):
    with lua.start(with_url(BRIDGE_DIES, hidden.url), overlays=[i2p_entry(i2p_network.sam[0])]) as program:
        assert answer(program, 1, SESSION_SECONDS)["status"] == 200
        for n in range(2):
            i2p_network.cut(0)
            try:
                time.sleep(0.5)
                tell(program)
                got = answer(program, 2 + 2 * n, 15)
                assert got["code"] == "connect_refused" and "i2p: SAM bridge connect failed: " in got["error"], got
            finally:
                i2p_network.mend(0)
            tell(program)
            assert answer(program, 3 + 2 * n, SESSION_SECONDS)["status"] == 200


MID_STREAM = """
local function main()
  say(patient(URL))
  local got = ask(URL:gsub("/who$", "/slow"), { timeout = "60s", overlay_network = "app:i2p" })
  say({ status = got.status, error = got.error })
end
"""


def test_the_bridge_dies_in_mid_stream(lua, hidden, i2p_network):
    with lua.start(with_url(MID_STREAM, hidden.url), overlays=[i2p_entry(i2p_network.sam[0])]) as program:
        assert answer(program, 1, SESSION_SECONDS)["status"] == 200
        time.sleep(1.5)  # the second request waits for its answer
        begun = time.monotonic()
        i2p_network.cut(0)
        try:
            got = answer(program, 2, 20)
        finally:
            i2p_network.mend(0)
        assert got.get("error") and time.monotonic() - begun < 10, got


class CoalescingBridge:
    """A bridge that says its last line and the first bytes of the stream in one breath."""

    def __init__(self, payload):
        self.payload, self.lines = payload, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(s,), daemon=True).start()

    def serve(self, s):
        with s, s.makefile("rb") as f:
            for line in f:
                self.lines.append(line.decode())
                if line.startswith(b"HELLO"):
                    s.sendall(b"HELLO REPLY RESULT=OK VERSION=3.1\n")
                elif line.startswith(b"SESSION CREATE"):
                    s.sendall(b"SESSION STATUS RESULT=OK DESTINATION=AAAA\n")
                elif line.startswith(b"STREAM CONNECT"):
                    s.sendall(b"STREAM STATUS RESULT=OK\n" + self.payload)
                    s.shutdown(socket.SHUT_WR)
                    f.read()
                    return

    def stop(self):
        self.listener.close()


def test_payload_right_behind_the_status_is_the_streams(lua):
    bridge = CoalescingBridge(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
    try:
        r = lua('local function main() say(ask("http://example.i2p/", { timeout = "10s", overlay_network = "app:i2p" })) end',
                overlays=[{"name": "i2p", "kind": "network.i2p", "host": "127.0.0.1", "port": bridge.port}])
    finally:
        bridge.stop()
    assert r.only["status"] == 200 and r.only["body"] == "hello", r
    said = [re.sub(r"wippy-\d+", "wippy-N", line) for line in bridge.lines]
    assert said == ["HELLO VERSION MIN=3.0 MAX=3.3\n", "SESSION CREATE STYLE=STREAM ID=wippy-N DESTINATION=TRANSIENT SIGNATURE_TYPE=7\n",
                    "HELLO VERSION MIN=3.0 MAX=3.3\n", "STREAM CONNECT ID=wippy-N DESTINATION=example.i2p SILENT=false\n"]


NOTHING_ELSE = PATIENT + """
local function main(url)
  say(patient(url))
  for _, host in ipairs({ "example.com", "nowhere.i2p", "hidden.onion", "localhost" }) do
    say(ask("http://" .. host .. "/", { timeout = "60s", overlay_network = "app:i2p" }))
  end
end
"""


def test_nothing_but_the_bridge(lua, hidden, i2p_network, watched_network, start_rig):
    net = watched_network()
    bridge = start_rig("forward.py", i2p_network.sockets[0], "--bind", net.far_ip, inside=net.far)
    r = lua(NOTHING_ELSE, hidden.url, netns=net.near, timeout=2 * SESSION_SECONDS,
            overlays=[i2p_entry(bridge.port, host=net.far_ip)])
    assert r.values[0].get("status") == 200, r
    assert [v.get("code") for v in r.values[1:]] == ["i2p_invalid_key"] * 4, r
    near, far = re.escape(net.near_ip) + r"\.\d+", re.escape(f"{net.far_ip}.{bridge.port}")
    ours = re.compile(rf"link0 +(Out IP {near} > {far}|In +IP {far} > {near}): tcp")
    packets = net.packets()
    assert packets and [p for p in packets if not ours.match(p)] == []
    assert net.questions() == []


# Last in this file: `hidden`, behind the same bridge, loses its session too, and is not found again soon.
ONCE = PATIENT + 'local function main(url) say(patient(url, "20s")) end'


def test_the_servers_bridge_dies_and_comes_back(wippy, lua, i2p_network, tmp_path):
    """Ours is to have the listener back, under its address. Not asked for: that peers reach it at once, which i2pd 2.45 does not manage
    for a destination that was made again while the router ran on."""
    folder = server_project(tmp_path / "server", i2p_network.sam[1])
    with wippy.start(folder, "run") as server:
        def said(text):
            return "".join(server.stderr + server.stdout).count(text)

        address = listening(server)
        r = lua(ONCE, f"http://{address}/who", timeout=2 * SESSION_SECONDS, overlays=[i2p_entry(i2p_network.sam[0])])
        assert r.only.get("status") == 200, r
        ups = said("overlay ready")
        i2p_network.cut(1)
        try:
            server.wait_for("overlay down", 10)
        finally:
            i2p_network.mend(1)
        end = time.monotonic() + SESSION_SECONDS
        while said("overlay ready") == ups:
            assert time.monotonic() < end, server.stderr
            time.sleep(0.1)
        # The same address, the same program.
        assert listening(server) == address and said("service listening") == 1
        assert server.proc.poll() is None
        server.signal()
        assert server.wait() == 0
