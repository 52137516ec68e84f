--[[
Rounds of a crowd that does everything at once to each other: chaos SEED ROUNDS ACTORS [pause]. After each round nothing may be left of it, and what the watchers saw must add
up. The same seed makes the same choices, not the same interleaving.
]]
local events = require("events")
local funcs = require("funcs")
local io = require("io")
local pg = require("pg")
local system = require("system")
local time = require("time")

local HOSTS = { "app:crowd", "app:narrow" }
local FULL = 120 -- max_processes of app:crowd
local WATCHERS = 3

local failures = 0

local function check(what, got, want)
  if got == want then return end
  failures = failures + 1
  io.print("not so: " .. what .. ": got " .. tostring(got) .. ", want " .. tostring(want))
end

-- End whoever is left, until nobody is: what ended may have started others just before.
local function end_all()
  for _ = 1, 1000 do
    local n = 0
    for _, host in ipairs(HOSTS) do
      for _, p in ipairs(assert(system.hosts.processes(host))) do
        n = n + 1
        process.terminate(p.pid)
      end
    end
    if n == 0 then return 0 end
    time.sleep("5ms")
  end
  return "some that do not end"
end

local function report_of(watchers)
  local reports = process.listen("report")
  local sum = { waiting = 0, monitors = 0, messages = 0 }
  for _, pid in ipairs(watchers) do
    assert(process.send(pid, "report"))
    local r = reports:receive()
    for _, text in ipairs(r.faults) do
      failures = failures + 1
      io.print("not so: " .. text)
    end
    for k in pairs(sum) do sum[k] = sum[k] + r[k] end
  end
  return sum
end

-- All places of the host are free again: so many can be started as it takes, and no more.
local function check_room()
  local pids = {}
  for i = 1, FULL do
    local pid, err = process.spawn("app:forever", "app:crowd")
    if not pid then return check("place " .. tostring(i) .. " of the host", tostring(err), "free") end
    pids[i] = pid
  end
  local more, err = process.spawn("app:forever", "app:crowd")
  check("one more than the host takes", more == nil and err:kind(), "RateLimited")
  for _, pid in ipairs(pids) do assert(process.terminate(pid)) end
end

-- All places of the pools are free again.
local function check_pools()
  for _, pool in ipairs({ { "app:few", 3 }, { "app:single", 1 }, { "app:computes", 4 } }) do
    local futures = {}
    for i = 1, pool[2] do futures[i] = assert(funcs.async(pool[1], 1)) end
    local late = time.after("20s")
    for _, f in ipairs(futures) do
      local r = channel.select({ f:channel():case_receive(), late:case_receive() })
      check("a place in the pool of " .. pool[1], r.channel ~= late, true)
    end
  end
end

local function round(seed, nactors)
  local watchers = {}
  for i = 1, WATCHERS do
    watchers[i] = assert(process.spawn_monitored("app:watcher", "app:quiet", process.pid(), seed + i))
  end
  for i = 1, nactors do
    local state = { seed = seed * 1000 + i, steps = 40, depth = 0, watchers = watchers, sent = {}, said = 0 }
    process.spawn("app:actor", i % 4 == 0 and "app:narrow" or "app:crowd", state)
  end
  -- Most come to their end by themselves; some wait for ever.
  for _ = 1, 60 do
    if #assert(system.hosts.processes("app:crowd")) + #assert(system.hosts.processes("app:narrow")) < 5 then break end
    time.sleep("5ms")
  end
  -- Watchers may still be starting some, so both are asked until they agree.
  local sum
  for _ = 1, 200 do
    check("left over", end_all(), 0)
    sum = report_of(watchers)
    if sum.waiting == 0 then break end
    time.sleep("5ms")
  end
  check("monitors that never fired", sum.waiting, 0)
  check("left over", end_all(), 0)

  for i = 1, 12 do check("name" .. tostring(i), process.registry.lookup("name" .. tostring(i)), nil) end
  -- What a process joined goes with it, a moment after its end is told.
  local group = assert(pg.open("app:groups"))
  for _ = 1, 200 do
    if #group:which_groups() == 0 then break end
    time.sleep("5ms")
  end
  check("groups with members", #group:which_groups(), 0)
  check_room()
  check("left over", end_all(), 0)
  check_pools()

  local signals = process.events()
  for i = 1, WATCHERS do process.send(watchers[i], "leave") end
  for _ = 1, WATCHERS do check("a watcher's end", tostring(signals:receive().result.error), "nil") end
  return sum
end

local function main(seed, rounds, nactors, pause)
  local monitors, messages = 0, 0
  for i = 1, tonumber(rounds) do
    local sum = round(tonumber(seed) + i * 100, tonumber(nactors))
    monitors = monitors + sum.monitors
    messages = messages + sum.messages
    if pause and (i == 2 or i == tonumber(rounds)) then
      -- Let the collectors come round; then somebody looks how large the program is.
      time.sleep("300ms")
      io.print("round " .. tostring(i))
      io.readline()
    end
  end
  assert(events.send("chaos", "over", "all"))
  io.print(tostring(monitors) .. " monitors, " .. tostring(messages) .. " messages, " .. tostring(failures) .. " failures")
  return failures == 0 and 0 or 1
end

return { main = main }
