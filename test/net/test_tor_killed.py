"""A real Tor is killed under a program that uses it in every way at once: before the program starts, in the middle of handshakes, in the middle
of streams, while nothing happens. Each time requests fail within their deadline, states and events say so, and all is well again when Tor
is back, without a restart of ours."""
import json
import threading
import time
import urllib.parse

import pytest
from web import serving, write_project

pytestmark = pytest.mark.slow

BACK_SECONDS = 90  # Tor starts, reads its directory again, builds circuits

ASK = """
local http, http_client = require("http"), require("http_client")
local function main()
  local req, res = http.request(), http.response()
  local resp, err = http_client.get(req:query("url"), { overlay_network = "app:" .. req:query("network"), timeout = "60s" })
  res:write_json(err and { error = tostring(err), code = (err:details() or {}).code } or { status = resp.status_code })
end
return { main = main }
"""
WATCH = """
local events = require("events")
local function main()
  local ch = assert(events.subscribe("network")):channel()
  print("watching")
  while true do
    local e, ok = ch:receive()
    if not ok then return end
    print("told of " .. e.kind .. " " .. e.path)
  end
end
return { main = main }
"""
# With the control port: told of everything. Without: what dials meet is all that is known.
TOLD, MET = ("tcp", "unix"), ("bare", "socks")
ALL = TOLD + MET


def project(second):
    socks = {"host": "127.0.0.1", "port": second["socks"]}
    return [
        {"name": "tcp", "kind": "network.tor", **socks, "control_port": second["control"]},
        {"name": "unix", "kind": "network.tor", "socks_socket": second["socks_socket"], "control_socket": second["socket"]},
        {"name": "bare", "kind": "network.tor", "socks_socket": second["socks_socket"]},
        {"name": "socks", "kind": "network.socks5", **socks},
    ]


class Program:
    """The program, and what may be asked of it."""

    def __init__(self, wippy, folder, web, tor):
        self.wippy, self.folder, self.web, self.tor = wippy, folder, web, tor

    def states(self):
        r = self.wippy.run(self.folder, "network", "status", "--json")
        assert r.code == 0, repr(r)
        return {v["id"].removeprefix("app:"): v for v in json.loads(r.stdout)}

    def wait_state(self, want, names, seconds=20):
        end = time.monotonic() + seconds
        while True:
            states = self.states()
            if all(states[n]["state"] in want for n in names):
                return states
            assert time.monotonic() < end, (want, states)
            time.sleep(0.2)

    def ask(self, network, url):
        return self.web.get("/api/ask?" + urllib.parse.urlencode({"network": network, "url": url})).json()

    def asking(self, url, names=ALL):
        """Requests under way, one by each network: (threads, answers)."""
        answers = {}

        def run(name):
            answers[name] = (self.ask(name, url), time.monotonic())
        threads = [threading.Thread(target=run, args=(n,), daemon=True) for n in names]
        for t in threads:
            t.start()
        return threads, answers

    def all_fail(self, code):
        for n in ALL:
            assert self.ask(n, "http://127.0.0.1:1/").get("code") == code, n

    def back(self, url):
        """Tor is started, and everything works again."""
        self.tor.say("start second")
        self.wait_state(["ready"], TOLD, BACK_SECONDS)
        for n in ALL:
            end = time.monotonic() + BACK_SECONDS
            while (got := self.ask(n, url)).get("status") != 200:
                assert time.monotonic() < end, (n, got)
                time.sleep(0.5)
        self.wait_state(["ready"], ALL)

    def events(self, kind, name):
        return "".join(self.web.program.stderr).count(f"told of network.{kind} app:{name}")

    def wait_events(self, kind, names, before=None):
        """Until each of them had one (more than `before`)."""
        end = time.monotonic() + 10
        while any(self.events(kind, n) <= (before or {}).get(n, 0) for n in names):
            assert time.monotonic() < end, (kind, "".join(self.web.program.stderr)[-3000:])
            time.sleep(0.05)


@pytest.fixture
def second(tor_network):
    """The second client, which is there again afterwards whatever the test did."""
    yield tor_network.second
    tor_network.say("kill second")
    tor_network.say("start second")


def join(threads, answers, killed, seconds=15):
    """Each request has failed soon after the kill."""
    for t in threads:
        t.join(seconds)
    assert set(answers) == set(ALL), answers
    assert all(at - killed < seconds and "error" in got for got, at in answers.values()), answers


def starts_to_answer(peers):
    """A server's handler: a head, some of its body, and no more."""
    def handle(s):
        s.recv(4096)
        s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 1000)
        peers.append(s)
    return handle


def test_killed_at_each_step(wippy, tor_network, second, start_rig, peer, tmp_path):
    url = start_rig("what_is_my_address.py").url
    streams = []
    halfway = peer(starts_to_answer(streams))
    entries = [
        {"name": "processes", "kind": "process.host", "lifecycle": {"auto_start": True}},
        {"name": "api", "kind": "http.router", "meta": {"server": "app:web"}, "prefix": "/api"},
        {"name": "ask", "kind": "function.lua", "method": "main", "modules": ["http", "http_client"], "source": ASK},
        {"name": "ask.http", "kind": "http.endpoint", "meta": {"router": "app:api"}, "method": "GET", "path": "/ask", "func": "app:ask"},
        {"name": "watch", "kind": "process.lua", "method": "main", "modules": ["events"], "source": WATCH},
        {"name": "watcher", "kind": "process.service", "process": "app:watch", "host": "app:processes", "lifecycle": {"auto_start": True}},
        *project(second)]

    # Before: nobody is there when the program comes up.
    tor_network.say("kill second")
    with serving(wippy, tmp_path / "p", entries) as web:
        p = Program(wippy, tmp_path / "p", web, tor_network)
        web.timeout = 100
        web.program.wait_for("watching")
        states = p.wait_state(["down"], TOLD)
        assert all("control port connect failed" in states[n]["reason"] for n in TOLD), states
        assert all(states[n]["state"] == "starting" for n in MET), states
        p.all_fail("connect_refused")
        states = p.states()
        assert all(states[n]["state"] == "down" for n in ALL), states
        p.back(url)
        p.wait_events("ready", ALL)
        p.wait_events("down", MET)

        # In the middle of streams.
        threads, answers = p.asking(f"http://127.0.0.1:{halfway.port}/")
        end = time.monotonic() + 60
        while len(streams) < len(ALL):
            assert time.monotonic() < end, answers
            time.sleep(0.05)
        downs = {n: p.events("down", n) for n in ALL}
        tor_network.say("kill second")
        join(threads, answers, time.monotonic())
        p.wait_state(["down"], TOLD)
        # What keeps no session learns it from the next dial.
        assert all(p.states()[n]["state"] == "ready" for n in MET)
        p.all_fail("connect_refused")
        p.wait_state(["down"], ALL)
        p.wait_events("down", ALL, downs)
        p.back(url)

        # While nothing happens, with connections kept alive.
        tor_network.say("kill second")
        p.wait_state(["down"], TOLD)
        for n in ALL:
            assert p.ask(n, url).get("code") == "connect_refused", n
        p.wait_state(["down"], ALL)
        p.back(url)

        # In the middle of handshakes: Tor is halted, takes connections and says nothing; then it is killed.
        tor_network.say("stop second")
        threads, answers = p.asking("http://name.example/")
        # Another project with the same networks asks no running program: its control connections begin now.
        other = write_project(tmp_path / "q", project(second))
        with wippy.start(other, "network", "status", "--watch") as watching:
            watching.wait_for("app:tcp  starting")
            watching.wait_for("app:unix  starting")
            time.sleep(1)
            assert not answers and all(p.states()[n]["state"] == "ready" for n in TOLD)
            tor_network.say("kill second")
            join(threads, answers, time.monotonic())
            assert {got["code"] for got, _ in answers.values()} == {"socks_closed"}, answers
            p.wait_state(["down"], TOLD)
            states = p.states()
            assert all(states[n]["state"] == "degraded" and "did not serve us" in states[n]["reason"] for n in MET), states
            for n in TOLD:
                watching.wait_for(f"app:{n}  down")
            p.back(url)
            for n in TOLD:
                watching.wait_for(f"app:{n}  ready")
            watching.signal()
            assert watching.wait() == 0
