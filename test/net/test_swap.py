"""Another overlay takes the place of one in use: no request fails, and none goes over the old one any more.

Two proxies dial out from two addresses, and the server says which one asked: so every answer tells which way it came.
"""
import json
import time

import pytest

OLD, NEW = "127.0.0.2", "127.0.0.3"


@pytest.fixture
def proxies(start_rig, address_server):
    def start(source, *hosts):
        return start_rig("socks_count.py", "--source", source, "--host", f"plain.test=127.0.0.1:{address_server.port}",
                         *[w for h in hosts for w in ("--host", h)])
    return lambda *hosts: (start(OLD, *hosts), start(NEW, *hosts))


def command(code, name="go"):
    return {"name": name, "kind": "process.lua", "meta": {"command": {"name": name}}, "method": "main",
            "source": code + "\nreturn { main = main }\n",
            "modules": ["registry", "http_client", "json", "io", "time", "process", "channel"]}


def program(project, overlays, *entries, config=None):
    index = {"namespace": "app", "entries": [
        {"name": "terminal", "kind": "terminal.host", "lifecycle": {"auto_start": True}},
        {"name": "processes", "kind": "process.host", "lifecycle": {"auto_start": True}}, *overlays, *entries]}
    return project({"src/_index.yaml": json.dumps(index), ".wippy.yaml": json.dumps({"version": "1.0", **(config or {})})})


def connections_to(port):
    """Established TCP connections of this machine whose far end is that port."""
    with open("/proc/net/tcp", encoding="ascii") as f:
        rows = [line.split() for line in f][1:]
    return sum(r[2].endswith(f":{port:04X}") and r[3] == "01" for r in rows)


# Each asks every `pace`, and tells when it began and which way the answer came.
ASKER = """
local http_client, json, time, process = require("http_client"), require("json"), require("time"), require("process")
local function main(parent, url, pace, count)
  local ticker = time.ticker(pace)
  local out = {}
  for i = 1, count do
    ticker:channel():receive()
    local began = time.now():unix_nano()
    local resp, err = http_client.get(url, { overlay_network = "app:proxy", timeout = "20s" })
    out[i] = { began = began, way = err and "error: " .. tostring(err) or resp.status_code == 200 and json.decode(resp.body).ip
      or "status " .. resp.status_code }
  end
  ticker:stop()
  process.send(parent, "out", out)
end
"""
SWAPPER = """
local registry, json, io, time, process = require("registry"), require("json"), require("io"), require("time"), require("process")
local function main(url, port, askers, pace, count)
  local inbox = process.inbox()
  for i = 1, tonumber(askers) do
    assert(process.spawn("app:asker", "app:processes", process.pid(), url, pace, tonumber(count)))
  end
  time.sleep("1s")
  local e = assert(registry.get("app:proxy"))
  e.data.port = 0
  local _, err = registry.snapshot():changes():update(e):apply()
  io.print("refused " .. tostring(err))
  time.sleep("200ms")
  e.data.port = tonumber(port)
  assert(registry.snapshot():changes():update(e):apply())
  local swapped = time.now():unix_nano()
  local all = {}
  for i = 1, tonumber(askers) do
    local m = inbox:receive()
    for _, r in ipairs(m:payload():data()) do
      table.insert(all, r)
    end
  end
  io.print(json.encode({ swapped = swapped, all = all }))
  time.sleep("3s")
  return 0
end
"""


def test_a_swap_under_load(wippy, project, proxies, overlay, slower):
    old, new = proxies()
    askers, pace, count = 20, f"{20 * slower}ms", 150
    folder = program(project, [overlay("proxy", old.port)], command(ASKER, "asker"), command(SWAPPER),
                     config={"network_service": {"drain_timeout": "1s"}})
    with wippy.start(folder, "run", "go", "http://plain.test/", str(new.port), str(askers), pace, str(count)) as run:
        run.wait_for('"swapped"', 60)
        # Idle connections of the old one are gone, also from libcurl, which looks once a second; what was in use has ended.
        end = time.monotonic() + 2 * slower
        while connections_to(old.port) and time.monotonic() < end:
            time.sleep(0.05)
        assert connections_to(old.port) == 0
        assert connections_to(new.port) > 0
        assert run.wait(30) == 0
    said = "".join(run.stdout)
    assert "refused " in said and "invalid port" in said
    result = json.loads(next(line for line in run.stdout if line.startswith("{")))
    ways = [r["way"] for r in result["all"]]
    assert len(ways) == askers * count and set(ways) == {OLD, NEW}, sorted(set(ways))
    late = [r["way"] for r in result["all"] if r["began"] > result["swapped"]]
    assert set(late) == {NEW}, late
    assert ways.count(OLD) > askers and ways.count(NEW) > askers


STREAMS = """
local registry, http_client, io, time = require("registry"), require("http_client"), require("io"), require("time")
local function main(url, port, action)
  local resp = assert(http_client.get(url, { overlay_network = "app:proxy", stream = true, timeout = "60s" }))
  io.print("got " .. #assert(resp.stream:read(10)))
  local c = registry.snapshot():changes()
  if action == "delete" then
    c:delete("app:proxy")
  else
    c:update({ id = "app:proxy", kind = "network.socks5", data = { host = "127.0.0.1", port = tonumber(port) } })
  end
  assert(c:apply())
  local began, n = time.now(), 0
  while true do
    local chunk, err = resp.stream:read(1000)
    if err then
      io.print("ended after " .. n .. ": " .. tostring(err))
      break
    elseif not chunk then
      io.print("complete after " .. n)
      break
    end
    n = n + #chunk
  end
  local _, err = http_client.get("http://plain.test/", { overlay_network = "app:proxy" })
  io.print("next: " .. tostring(err))
  return 0
end
"""


def drip(total, pause):
    """A response whose body comes ten bytes at a time."""
    def handle(s):
        s.recv(65536)
        s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (10 * total))
        for _ in range(total):
            s.sendall(b"x" * 10)
            time.sleep(pause)
    return handle


@pytest.mark.parametrize("action", ["update", "delete"])
@pytest.mark.parametrize("total, ending", [(10, "complete after 90"), (100000, "was replaced, and the time to finish is over")])
def test_a_stream_may_finish_within_the_drain(wippy, project, proxies, overlay, peer, action, total, ending):
    slow = peer(drip(total, 0.05))
    old, new = proxies(f"slow.test=127.0.0.1:{slow.port}")
    folder = program(project, [overlay("proxy", old.port)], command(STREAMS),
                     config={"network_service": {"drain_timeout": "2s"}})
    began = time.monotonic()
    r = wippy.run(folder, "run", "go", "http://slow.test/", str(new.port), action)
    lines = r.stdout.splitlines()
    assert r.code == 0 and lines[0] == "got 10" and ending in lines[1], r
    assert 0.4 < time.monotonic() - began < 20
    if action == "update":
        assert lines[2] == "next: nil", r
    else:
        assert "network: service not found" in lines[2], r
