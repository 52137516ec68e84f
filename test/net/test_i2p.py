"""Over a private I2P network of real i2pd routers: one bridge for the client, another for the server behind it.

i2pd takes 20 s for a session, whoever asks, so most tests run side by side: those marked `@together` begin when the first of them is asked
for, and each reports in its own turn. Who disturbs a bridge has that bridge for himself.
"""
import base64
import concurrent.futures
import contextlib
import hashlib
import json
import re
import socket
import threading
import time

import pytest

from web import write_project
from websocket_peer import Server

pytestmark = pytest.mark.slow

# The bridges: of most clients, of `hidden`, and two whose connections and whose routers are killed.
CALM, SERVER, FRAIL_CLIENT, FRAIL_SERVER = range(4)

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


def new_destination(port):
    """Made by a bridge, as base64: what peers may know, and the private key."""
    with socket.create_connection(("127.0.0.1", port), 30) as s, s.makefile("rw", newline="\n") as f:
        for line in ("HELLO VERSION MIN=3.1 MAX=3.3", "DEST GENERATE SIGNATURE_TYPE=7"):
            f.write(line + "\n")
            f.flush()
            answer = f.readline()
    return re.search(r"PUB=(\S+) PRIV=(\S+)", answer).groups()


def short_name(destination):
    digest = hashlib.sha256(base64.b64decode(destination, b"-~")).digest()
    return base64.b32encode(digest).decode().lower().rstrip("=") + ".b32.i2p"


class Hidden:
    """A program that serves HTTP over I2P only, behind bridge SERVER. Its key is there before it starts, so all may ask for it at once."""

    def __init__(self, wippy, folder, port):
        self.destination, key = new_destination(port)
        self.address = short_name(self.destination)
        self.url = f"http://{self.address}/who"
        server_project(folder, port)
        kept = folder / ".wippy/net/i2p/app%3Aweb"
        kept.mkdir(parents=True)
        for d in (kept, kept.parent, kept.parent.parent):
            d.chmod(0o700)
        (kept / "destination.key").touch(0o600)
        (kept / "destination.key").write_text(key + "\n")
        self.running = wippy.start(folder, "run")

    def __enter__(self):
        self.program = self.running.__enter__()
        return self

    def __exit__(self, *why):
        try:
            if why[0] is None:
                assert listening(self.program) == self.address
                self.program.signal()
                assert self.program.wait() == 0, "".join(self.program.stderr)[-3000:]
        finally:
            self.running.__exit__(*why)


# -- side by side ----------------------------------------------------------------------------------------------------------

TOGETHER = {}


def together(body):
    """A test that runs beside the others so marked. It gets the World and makes what else it needs."""
    def test(world):
        world.begun[body.__name__].result()
    TOGETHER[body.__name__] = body
    test.__name__, test.__doc__ = body.__name__, body.__doc__
    return test


class World:
    """What the tests share: .wippy, .net (the I2P network), .hidden; .folder(name) and .lua(name) are new each time."""

    def __init__(self, wippy, net, hidden, lua_in, folder):
        self.wippy, self.net, self.hidden, self.lua_in, self.root = wippy, net, hidden, lua_in, folder
        self.pool = concurrent.futures.ThreadPoolExecutor(len(TOGETHER))
        self.begun = {}

    def folder(self, name):
        path = self.root / name
        path.mkdir()
        return path

    def lua(self, name):
        return self.lua_in(self.folder(name))

    def begin(self, names):
        self.begun = {n: self.pool.submit(body, self) for n, body in TOGETHER.items() if n in names}


@pytest.fixture(scope="module")
def world(request, wippy, i2p_network, lua_in, tmp_path_factory):
    folder = tmp_path_factory.mktemp("i2p")
    names = {item.name for item in request.session.items if item.path == request.path}
    with Hidden(wippy, folder / "hidden", i2p_network.sam[SERVER]) as hidden:
        world = World(wippy, i2p_network, hidden, lua_in, folder)
        try:
            world.begin(names)
            yield world
        finally:
            world.pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="module")
def hidden(world):
    return world.hidden


# -- a test with a network of its own; the others go on meanwhile ------------------------------------------------------------

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
    bridge = start_rig("forward.py", i2p_network.sockets[CALM], "--bind", net.far_ip, inside=net.far)
    r = lua(NOTHING_ELSE, hidden.url, netns=net.near, timeout=2 * SESSION_SECONDS,
            overlays=[i2p_entry(bridge.port, host=net.far_ip)])
    assert r.values[0].get("status") == 200, r
    assert [v.get("code") for v in r.values[1:]] == ["i2p_invalid_key"] * 4, r
    near, far = re.escape(net.near_ip) + r"\.\d+", re.escape(f"{net.far_ip}.{bridge.port}")
    ours = re.compile(rf"link0 +(Out IP {near} > {far}|In +IP {far} > {near}): tcp")
    packets = net.packets()
    assert packets and [p for p in packets if not ours.match(p)] == []
    assert net.questions() == []


# -- calm ------------------------------------------------------------------------------------------------------------------

FIRST_AND_WARM = PATIENT + """
local function timed(url)
  local begun = time.now()
  -- A new connection each time: what is warm is the session.
  local got = ask(url, { timeout = "120s", overlay_network = "app:i2p", headers = { Connection = "close" } })
  return { status = got.status, error = got.error, code = got.code, ms = time.now():sub(begun):milliseconds() }
end
local function main(url)
  -- All that this one waits for is the session.
  say(timed("http://nowhere.i2p/"))
  say(patient(url))
  for i = 1, 5 do say(timed(url)) end
end
"""


@together
def test_a_request_from_bridge_to_bridge(world):
    hidden = world.hidden
    r = world.lua("first")(FIRST_AND_WARM, hidden.url, timeout=2 * SESSION_SECONDS, overlays=[i2p_entry(world.net.sam[CALM])])
    first, answered, warm = r.values[0], r.values[1], r.values[2:]
    assert first["code"] == "i2p_invalid_key" and answered["status"] == 200, r
    who = answered["body"]
    assert re.fullmatch(r"[a-z2-7]{52}\.b32\.i2p", who["address"]) and who["address"] != hidden.address
    assert who["identity"]["network"] == "i2p" and who["identity"]["address"] == who["address"]
    assert len(who["identity"]["destination"]) >= 516
    assert who["host"] == hidden.address
    assert [w.get("status") for w in warm] == [200] * 5, r
    assert sorted(w["ms"] for w in warm)[2] <= 0.1 * first["ms"], (first, warm)


@together
def test_a_destination_in_base64(world):
    hidden, overlays = world.hidden, [i2p_entry(world.net.sam[CALM])]
    url = f"http://{hidden.destination}/who"
    assert len(hidden.destination) >= 516
    r = world.lua("base64")(PATIENT + "local function main(url) say(patient(url)) end", url, timeout=2 * SESSION_SECONDS, overlays=overlays)
    assert r.only["status"] == 200, r
    # The server is told the short name, which fits where names of hosts do.
    assert r.only["body"]["host"] == hidden.address
    folder = world.lua("check").write("local function main() end", overlays=overlays)
    r = world.wippy.run(folder, "network", "check", "--json", "--timeout", "120s", "app:i2p", url, timeout=SESSION_SECONDS)
    told = json.loads(r.stdout)
    assert r.code == 0 and told["ok"] and told["status"] == 200 and told["target"] == url, r


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


@together
def test_two_processes_two_destinations(world):
    r = world.lua("two")(TWO_PROCESSES, world.hidden.url, timeout=2 * SESSION_SECONDS, processes={"one": ONE},
                         overlays=[i2p_entry(world.net.sam[CALM], isolation="process")])
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


@together
def test_names_are_the_bridges_to_refuse(world):
    r = world.lua("refused")(REFUSED, timeout=2 * SESSION_SECONDS, overlays=[i2p_entry(world.net.sam[CALM])])
    assert [v["code"] for v in r.values] == ["i2p_invalid_key", "i2p_invalid_key", "i2p_cant_reach_peer"], r
    assert all("STREAM CONNECT rejected: STREAM STATUS RESULT=" in v["error"] for v in r.values), r


@together
def test_the_address_survives_a_restart(world):
    folder = world.folder("restarted")

    def start(**fields):
        server_project(folder, world.net.sam[SERVER], **fields)
        with world.wippy.start(folder, "run") as program:
            address = listening(program)
            program.signal()
            assert program.wait() == 0
        return address

    first = start()
    key = next((folder / ".wippy/net/i2p").rglob("destination.key"))
    assert key.stat().st_mode & 0o777 == 0o600
    assert start() == first
    # A new one each time when that is wanted, and the kept one stays.
    text = key.read_text()
    assert start(persistent=False) != first
    assert key.read_text() == text


# -- bridges that die -------------------------------------------------------------------------------------------------------

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
    raise AssertionError(f"no answer {number} after {seconds} s: " + "".join(program.stdout) + "".join(program.stderr))


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


@together
def test_the_clients_bridge_dies_and_comes_back(world):
    net = world.net
    with world.lua("cut").start(with_url(BRIDGE_DIES, world.hidden.url), overlays=[i2p_entry(net.sam[FRAIL_CLIENT])]) as program:
        assert answer(program, 1, SESSION_SECONDS)["status"] == 200
        for n in range(2):
            net.cut(FRAIL_CLIENT)
            try:
                time.sleep(0.5)
                tell(program)
                got = answer(program, 2 + 2 * n, 15)
                assert got["code"] == "connect_refused" and "i2p: SAM bridge connect failed: " in got["error"], got
            finally:
                net.mend(FRAIL_CLIENT)
            tell(program)
            assert answer(program, 3 + 2 * n, SESSION_SECONDS)["status"] == 200


class Served:
    """A server behind FRAIL_SERVER, and what it says."""

    def __init__(self, program):
        self.program, self.address = program, listening(program)

    def said(self, text):
        return "".join(self.program.stderr + self.program.stdout).count(text)

    def wait_said(self, text, times, seconds):
        end = time.monotonic() + seconds
        while self.said(text) < times:
            assert time.monotonic() < end, (text, self.program.stderr)
            time.sleep(0.1)

    @contextlib.contextmanager
    def losing_its_bridge(self, lose, give_back):
        """Inside the block the bridge is away, and the server knows; after it all is as before: the same program, the same address."""
        ups = self.said("overlay ready")
        lose(FRAIL_SERVER)
        try:
            self.program.wait_for("overlay down", 10)
            yield
        finally:
            give_back(FRAIL_SERVER)
        self.wait_said("overlay ready", ups + 1, SESSION_SECONDS)
        assert listening(self.program) == self.address and self.said("service listening") == 1
        assert self.program.proc.poll() is None


@contextlib.contextmanager
def serving_behind(world, folder):
    with world.wippy.start(server_project(folder, world.net.sam[FRAIL_SERVER]), "run") as program:
        yield Served(program)
        program.signal()
        assert program.wait() == 0


@together
def test_the_servers_bridge_dies_and_comes_back(world):
    """Ours is to have the listener back, under its address. Not asked for: that peers reach it at once, which i2pd 2.45 does not manage
    for a destination that was made again while the router ran on."""
    net = world.net
    with serving_behind(world, world.folder("cut_server")) as server:
        r = world.lua("once")(PATIENT + 'local function main(url) say(patient(url, "30s")) end', f"http://{server.address}/who",
                              timeout=2 * SESSION_SECONDS, overlays=[i2p_entry(net.sam[CALM])])
        assert r.only.get("status") == 200, r
        with server.losing_its_bridge(net.cut, net.mend):
            pass


# -- routers that are killed: last, and one at a time, since tunnels of others pass through them -----------------------------------

MID_STREAM = """
local function main()
  say(patient(URL))
  local begun = time.now()
  local got = ask(URL:gsub("/who$", "/slow"), { timeout = LIMIT, overlay_network = "app:i2p" })
  say({ status = got.status, error = got.error, code = got.code, ms = time.now():sub(begun):milliseconds() })
  io.readline()
  say(patient(URL, "30s"))
end
"""


def mid_stream(url, limit):
    return f'local LIMIT = "{limit}" ' + with_url(MID_STREAM, url)


def test_the_clients_router_is_killed_in_mid_stream(world):
    net = world.net
    with world.lua("killed").start(mid_stream(world.hidden.url, "60s"), overlays=[i2p_entry(net.sam[FRAIL_CLIENT])]) as program:
        assert answer(program, 1, SESSION_SECONDS)["status"] == 200
        time.sleep(1.5)  # the second request waits for its answer
        net.kill(FRAIL_CLIENT)
        try:
            got = answer(program, 2, 20)
        finally:
            net.start(FRAIL_CLIENT)
        # Long before the request's own deadline, and before there could have been an answer.
        assert got.get("error") and got["ms"] < 10000, got
        tell(program)
        assert answer(program, 3, SESSION_SECONDS)["status"] == 200
        assert program.wait() == 0


def test_the_servers_router_is_killed_in_mid_stream(world):
    """Served again under the old address. A session that knew the server before is no measure: its router (i2pd 2.45) goes on sending to
    the tunnels that are no more, for minutes; so another client asks."""
    net = world.net
    with serving_behind(world, world.folder("killed_server")) as server:
        url = f"http://{server.address}/who"
        with world.lua("asks").start(mid_stream(url, "12s"), overlays=[i2p_entry(net.sam[CALM])]) as client:
            assert answer(client, 1, SESSION_SECONDS)["status"] == 200
            time.sleep(1.5)
            with server.losing_its_bridge(net.kill, net.start):
                # Nobody tells the client that its peer is gone; its deadline holds.
                got = answer(client, 2, 20)
                assert got.get("error") and got["ms"] < 13000, got
        r = world.lua("asks_again")(PATIENT + 'local function main(url) say(patient(url, "30s")) end', url, timeout=2 * SESSION_SECONDS,
                                    overlays=[i2p_entry(net.sam[CALM])])
        assert r.only.get("status") == 200 and r.only["body"]["host"] == server.address, r


# -- a bridge that a test plays ----------------------------------------------------------------------------------------------

def bare_entry(port):
    """All else as nobody chose it."""
    return [{"name": "i2p", "kind": "network.i2p", "host": "127.0.0.1", "port": port}]


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
                    self.stream(s, f)
                    return

    def stream(self, s, f):
        s.sendall(b"STREAM STATUS RESULT=OK\n" + self.payload)
        s.shutdown(socket.SHUT_WR)
        f.read()

    def stop(self):
        self.listener.close()


def test_payload_right_behind_the_status_is_the_streams(lua):
    bridge = CoalescingBridge(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
    try:
        r = lua('local function main() say(ask("http://example.i2p/", { timeout = "10s", overlay_network = "app:i2p" })) end',
                overlays=bare_entry(bridge.port))
    finally:
        bridge.stop()
    assert r.only["status"] == 200 and r.only["body"] == "hello", r
    said = [re.sub(r"wippy-\d+", "wippy-N", line) for line in bridge.lines]
    assert said == ["HELLO VERSION MIN=3.0 MAX=3.3\n", "SESSION CREATE STYLE=STREAM ID=wippy-N DESTINATION=TRANSIENT SIGNATURE_TYPE=7\n",
                    "HELLO VERSION MIN=3.0 MAX=3.3\n", "STREAM CONNECT ID=wippy-N DESTINATION=example.i2p SILENT=false\n"]


class RelayingBridge(CoalescingBridge):
    """A bridge whose streams all lead to one port here."""

    def __init__(self, port):
        self.target = port
        super().__init__(b"")

    def stream(self, s, _):
        with socket.create_connection(("127.0.0.1", self.target)) as far:
            s.sendall(b"STREAM STATUS RESULT=OK\n")
            back = threading.Thread(target=self.pump, args=(far, s), daemon=True)
            back.start()
            self.pump(s, far)
            back.join()

    @staticmethod
    def pump(a, b):
        with contextlib.suppress(OSError):
            while data := a.recv(65536):
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)


@pytest.fixture
def relaying_bridge():
    with contextlib.ExitStack() as stack:
        def make(port):
            bridge = RelayingBridge(port)
            stack.callback(bridge.stop)
            return bridge
        yield make


# Keys that nobody has, and the certificate of an Ed25519 destination.
SOMEBODY = base64.b64encode(bytes(i * 7 % 256 for i in range(384)) + bytes([5, 0, 4, 0, 7, 0, 0]), b"-~").decode()

BASE64 = """
local function main(url)
  say(ask(url, { overlay_network = "app:i2p" }))
  -- Kept alive, and by its other name the same.
  say(ask(url, { overlay_network = "app:i2p" }))
  say(ask("http://SHORT/b", { overlay_network = "app:i2p" }))
end
"""


def test_a_destination_in_base64_as_the_bridge_hears_it(lua, relaying_bridge, site):
    assert "~" in SOMEBODY and "-" in SOMEBODY and SOMEBODY.endswith("==")
    web = site({"/a": (302, {"Location": "/b"}, b""), "/b": (200, {}, b"there")})
    bridge = relaying_bridge(web.port)
    name = short_name(SOMEBODY)
    r = lua(BASE64.replace("SHORT", name), f"http://{SOMEBODY}/a", overlays=bare_entry(bridge.port))
    assert [v["body"] for v in r.values] == ["there"] * 3, r
    assert {h for asked in web.asked for h in asked.header("Host")} == {name}
    connects = [line.split("DESTINATION=")[1].split()[0] for line in bridge.lines if line.startswith("STREAM CONNECT")]
    assert connects == [SOMEBODY], connects


def test_a_websocket_to_a_destination_in_base64(lua, relaying_bridge):
    echo = Server()
    try:
        bridge = relaying_bridge(echo.port)
        r = lua("""local function main(url)
          local c, err = websocket.connect(url)
          if err then say(tostring(err)) return end
          c:send("hello")
          say(c:channel():receive().data)
          c:close()
        end""", f"ws://{SOMEBODY}:81/x", config={"network_service": {"default_network": "app:i2p"}},
                overlays=bare_entry(bridge.port))
        assert r.only == "hello", r
        assert echo.conns[0].fields["host"] == [f"{short_name(SOMEBODY)}:81"]
    finally:
        echo.stop()
    assert f" DESTINATION={SOMEBODY} SILENT=false" in bridge.lines[-1]


def test_a_destination_that_lost_a_few_characters(lua):
    """Said at once, in one sentence; nobody waits for a bridge, or looks the thing up."""
    r = lua("""local function main(url)
      say(ask(url, { overlay_network = "app:i2p" }))
      say(ask(url))
      local c, err = websocket.connect((url:gsub("http", "ws")))
      say(tostring(err))
    end""", f"http://{SOMEBODY[4:]}/", overlays=bare_entry(1))
    through, clear, ws = r.values
    assert through["code"] == "i2p_invalid_key"
    assert through["error"].endswith("i2p: 520 characters are no destination in base64: copy it whole, or use its .b32.i2p name"), r
    assert "the host has more than 255 bytes" in clear["error"] and "the host has more than 255 bytes" in ws, r


def test_a_destination_stays_off_the_clear_network(lua):
    r = lua('local function main(url) say(ask(url)) end', f"http://{SOMEBODY}/")
    assert r.only["code"] == "overlay_only_host" and short_name(SOMEBODY) in r.only["error"], r


HOLDS_ITS_SESSION = """
local function main()
  say(ask("http://nowhere.i2p/", { timeout = "10s", overlay_network = "app:i2p" }))
  io.readline()
end
"""


def test_two_programs_on_one_bridge(lua_in, start_rig, tmp_path):
    """Both under the same session_name, as they have it when nobody chose one."""
    overlays = bare_entry(start_rig("sam_bridge.py").port)
    with contextlib.ExitStack() as stack:
        programs = []
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            programs.append(stack.enter_context(lua_in(tmp_path / name).start(HOLDS_ITS_SESSION, overlays=overlays)))
        for program in programs:
            assert answer(program, 1, 15)["code"] == "i2p_cant_reach_peer"
        for program in programs:
            tell(program)
            assert program.wait() == 0
