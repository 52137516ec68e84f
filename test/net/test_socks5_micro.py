"""network.socks5 against microsocks under load: 60,000 kept-alive requests, none lost, over few connections."""
import json
import os
import urllib.request

import pytest

# Together fewer than the idle connections that are kept for one host, so that none is closed for being one too many.
# The thread sanitizer's record of calls grows with each longjmp() of Lua's: its time per request grows with their number.
REQUESTS, PROCESSES, COROUTINES = 2400 if os.environ.get("WIPPY_SANITIZER") == "thread" else 60000, 4, 2

# Each worker asks in several coroutines at once, and tells the sum of what it saw.
WORKER = """
local function main(url, count, coroutines, boss)
  local good, done, errors = 0, channel.new(coroutines), {}
  for c = 1, coroutines do
    coroutine.spawn(function()
      for i = 1, count / coroutines do
        local resp, err = http_client.get(url, { overlay_network = "app:proxy", timeout = "20s" })
        if resp and resp.status_code == 200 and resp.body == "xx" then
          good = good + 1
        elseif #errors < 5 then
          table.insert(errors, err and tostring(err) or "status " .. resp.status_code .. " body " .. tostring(resp.body))
        end
      end
      done:send(true)
    end)
  end
  for c = 1, coroutines do
    done:receive()
  end
  process.send(boss, "sum", { good = good, errors = errors })
  return 0
end
"""
BOSS = """
local function main(url, total, processes, coroutines)
  local sums, good, errors = process.listen("sum"), 0, {}
  for p = 1, tonumber(processes) do
    local pid, err = process.spawn("app:worker", "app:processes", url, tonumber(total) / tonumber(processes),
      tonumber(coroutines), process.pid())
    if err then
      error(err)
    end
  end
  for p = 1, tonumber(processes) do
    local sum = sums:receive()
    good = good + sum.good
    for _, e in ipairs(sum.errors) do
      table.insert(errors, e)
    end
  end
  say({ good = good, errors = errors })
  return 0
end
"""


def stats(server):
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/stats", timeout=10) as r:
        return json.load(r)


@pytest.mark.slow
@pytest.mark.parametrize("isolated", [False, True], ids=["shared", "isolate_streams"])
def test_sixty_thousand_kept_alive_requests(lua, overlay, microsocks, start_rig, isolated):
    server = start_rig("quick_server.py")
    total = REQUESTS if not isolated else REQUESTS // 6
    r = lua(BOSS, f"http://127.0.0.1:{server.port}/", total, PROCESSES, COROUTINES, timeout=100,
            overlays=[overlay("proxy", microsocks.port, isolate_streams=isolated)], processes={"worker": WORKER})
    assert r.only == {"good": total, "errors": []}, r
    seen = stats(server)
    assert seen["requests"] == total
    # As many as asked at one time.
    assert seen["connections"] <= PROCESSES * COROUTINES, seen
