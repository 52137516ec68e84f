"""One program on three networks at once: asked over I2P and over a tailnet, it asks over Tor. All of them private, and real."""
import json
import os
import re
import signal
import types
import urllib.parse
from pathlib import Path

import pytest

from test_i2p import PATIENT, SERVER_TUNNELS, i2p_entry
from test_tailscale import KEY, Tailnet, is_alive, programs, sidecars, wait_until  # noqa: F401 (programs is a fixture)
from web import write_project

pytestmark = pytest.mark.slow

READY_SECONDS = 240
README = Path(__file__).resolve().parents[2] / "README.md"

VIA = """
local http = require("http")
local http_client = require("http_client")
local function via()
    local req, res = http.request(), http.response()
    local got, err = http_client.get(req:query("url"), { timeout = "60s", overlay_network = "app:tor" })
    res:write_json({ status = got and got.status_code, error = err and tostring(err), came_from = req:remote_addr(),
      identity = req:peer_identity() })
end
return { via = via }
"""


def serving(name, network, addr):
    return [{"name": name, "kind": "http.service", "addr": addr, "network": f"app:{network}",
             "lifecycle": {"auto_start": True, "start_timeout": f"{READY_SECONDS}s"}},
            {"name": f"{name}_api", "kind": "http.router", "meta": {"server": name}, "prefix": "/"},
            {"name": f"{name}_via", "kind": "http.endpoint", "meta": {"router": f"{name}_api"}, "method": "GET", "path": "/via", "func": "app:via"}]


@pytest.fixture
def tailnet(programs, start_rig, tmp_path):  # noqa: F811
    return Tailnet(types.SimpleNamespace(near=None), programs, start_rig, tmp_path)


def status_of(wippy, folder):
    r = wippy.run(folder, "network", "status", "--json")
    assert r.code == 0, repr(r)
    assert KEY not in r.stdout + r.stderr
    return {v["id"]: v for v in json.loads(r.stdout)}


def shape(table):
    """What a table of states says, whenever and wherever it was made."""
    for pattern, word in ((r"[a-z2-7]{52}\.b32\.i2p", "B32"), (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME"), (r"100\.64\.\d+\.\d+", "ADDRESS")):
        table = re.sub(pattern, word, table)
    return [line.rstrip() for line in table.splitlines()]


def test_a_program_on_three_networks(wippy, lua, tailnet, tor_network, i2p_network, start_rig, tmp_path, slower):
    server = start_rig("what_is_my_address.py")
    folder = tmp_path / "program"
    folder.mkdir()
    write_project(folder, [
        {"name": "processes", "kind": "process.host", "lifecycle": {"auto_start": True}},
        {"name": "tor", "kind": "network.tor", "host": "127.0.0.1", "port": tor_network.socks, "control_port": tor_network.control,
         "isolation": "process"},
        i2p_entry(i2p_network.sam[1], **SERVER_TUNNELS),
        tailnet.entry(),
        *serving("hidden", "i2p", ":80"),
        *serving("inner", "tailnet", ":8080"),
        {"name": "via", "kind": "function.lua", "source": VIA, "method": "via", "modules": ["http", "http_client"]}])
    with wippy.start(folder, "run", "-c", env=tailnet.env) as program:
        text = lambda: "".join(program.stdout) + "".join(program.stderr)  # noqa: E731
        # Each comes up on its own time; none waits for another.
        wait_until(lambda: len(re.findall("service listening", text())) == 2, READY_SECONDS, text)
        hidden = re.search(r"service listening.*?([a-z2-7]{52}\.b32\.i2p)", text()).group(1)
        name = tor_network.new_name()
        path = "/via?url=" + urllib.parse.quote(f"http://{name}:{server.port}/", safe="")
        with tor_network.dns.recording() as asked, tor_network.watching() as streams:
            inner = tailnet.tell(tailnet.peer, "get", "http://alpha:8080" + path, seconds=90 * slower)
            assert inner.get("status") == 200, (inner, text()[-3000:])
            r = lua(PATIENT + "local function main(url) say(patient(url, '90s')) end", f"http://{hidden}{path}", timeout=300,
                    overlays=[i2p_entry(i2p_network.sam[0])])
        # Both went on over Tor, as identities of their own, and only the exit knew the name.
        inside, outside = json.loads(inner["body"]), r.only["body"]
        assert inside["status"] == 200 and inside["came_from"].startswith(tailnet.peer.address + ":"), inside
        assert inside["identity"]["node"] == "peer.tail.test"
        assert outside["status"] == 200 and outside["identity"]["network"] == "i2p", outside
        assert [s["target"] for s in streams] == [f"{name}:{server.port}"] * 2
        assert len({s["username"] for s in streams}) == len({s["circuit"] for s in streams}) == 2, streams
        assert {q["name"] for q in asked} == {name}

        told = status_of(wippy, folder)
        assert {k: v["state"] for k, v in told.items()} == {"app:tor": "ready", "app:i2p": "ready", "app:tailnet": "ready"}, told
        assert told["app:tor"]["dials"] == 2 and told["app:tor"]["dials_failed"] == 0
        assert told["app:i2p"]["listening"] == [{"service": "app:hidden", "address": hidden}]
        assert [v["service"] for v in told["app:tailnet"]["listening"]] == ["app:inner"]
        assert shape(wippy.run(folder, "network", "status").stdout) == shape(README.read_text(encoding="utf-8").split("$ wippy network status\n")[1].split("```")[0])

        # What befalls one of them is its own affair.
        [pid] = sidecars(program.proc.pid)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: status_of(wippy, folder)["app:tailnet"]["state"] == "down" or sidecars(program.proc.pid) not in ([], [pid]),
                   20 * slower, lambda: status_of(wippy, folder))
        told = status_of(wippy, folder)
        assert told["app:tor"]["state"] == told["app:i2p"]["state"] == "ready", told
        wait_until(lambda: status_of(wippy, folder)["app:tailnet"]["state"] == "ready", 60 * slower, lambda: status_of(wippy, folder))
        [pid] = sidecars(program.proc.pid)
        program.signal()
        assert program.wait() == 0, text()[-3000:]
        wait_until(lambda: not is_alive(pid), 10, lambda: "the sidecar outlived the program")
        assert KEY not in text()
