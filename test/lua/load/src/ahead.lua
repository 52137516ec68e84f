local check = require("check")

local HOST = "app:processes"

-- In a crowd children are made by other workers, maybe after spawn() returned. Nobody may notice: each of these is done to fresh children.
local function main(crowd)
  crowd = tonumber(crowd)
  local inbox, events = process.inbox(), process.events()
  local ROUNDS = 300

  -- The chunk of this one ran well many times, and then it does not: that is for spawn() to say.
  for _ = 1, 20 do assert(process.spawn("app:picky", HOST)) end
  local pids = {}
  for i = 1, crowd do pids[i] = assert(process.spawn("app:waiter", HOST)) end
  for _ = 1, 20 do assert(process.spawn("app:picky", HOST)) end
  assert(process.registry.register("no more of these"))
  for _ = 1, 20 do
    check.refuses("a chunk that fails", "Internal", "no more of these", process.spawn("app:picky", HOST))
  end

  -- What is sent at once arrives, in order.
  for _ = 1, ROUNDS do
    local pid = assert(process.spawn("app:waiter", HOST))
    for i = 1, 3 do assert(process.send(pid, "n", i)) end
    for i = 1, 3 do
      local m = inbox:receive()
      check.same("from", m:from(), pid)
      check.same("number", m:payload():data(), i)
    end
    pids[#pids + 1] = pid
  end

  -- A name given at once holds, and goes with the process.
  for i = 1, ROUNDS do
    local name = "child " .. tostring(i)
    local pid = assert(process.spawn_monitored("app:waiter", HOST))
    check.same("register", process.registry.register(name, pid), true)
    check.same("lookup", process.registry.lookup(name), pid)
    assert(process.send(name, "stop"))
    check.same("stop", inbox:receive():topic(), "stop")
    local e = events:receive()
    check.same("exit", e.from, pid)
    check.same("name released", process.registry.lookup(name), nil)
  end

  -- Monitored from the start or a moment later: one end, heard once.
  for i = 1, ROUNDS do
    local pid
    if i % 2 == 0 then
      pid = assert(process.spawn_monitored("app:brief", HOST, i))
    else
      pid = assert(process.spawn("app:waiter", HOST))
      check.same("monitor", process.monitor(pid), true)
      assert(process.send(pid, "stop"))
      check.same("stop", inbox:receive():topic(), "stop")
    end
    local e = events:receive()
    check.same("exit", e.from, pid)
    check.same("value", e.result.value, i % 2 == 0 and i or "stopped")
  end

  -- Linked children that fail, and such that are terminated at once.
  process.set_options({ trap_links = true })
  for i = 1, ROUNDS do
    local failing = assert(process.spawn_linked("app:failing", HOST))
    local e = events:receive()
    check.same("link down", e.kind, "pid.link.down")
    check.same("of", e.from, failing)
    local doomed = assert(process.spawn_linked_monitored("app:waiter", HOST))
    check.same("terminate", process.terminate(doomed), true)
    for _, kind in ipairs({ "pid.exit", "pid.link.down" }) do
      e = events:receive()
      check.same("end of " .. tostring(i), e.kind, kind)
      check.same("terminated", tostring(e.result.error), "process terminated")
    end
  end

  -- Everybody else is still there.
  for _, pid in ipairs(pids) do assert(process.send(pid, "stop")) end
  for _ = 1, #pids do check.same("stop", inbox:receive():topic(), "stop") end
  return check.done()
end

return { main = main }
