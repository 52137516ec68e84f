-- host.max_processes
local time = require("time")
local check = require("check")

local HOST = "app:three"
local FULL = "host app:three is full: it runs 3 processes (host.max_processes)"

local function main()
  local events = process.events()
  local pids = {}
  local function full(what, v, err)
    check.same(what, v, nil)
    check.same(what, err:kind() .. " " .. tostring(err:retryable()) .. " " .. err:message(), "RateLimited true " .. FULL)
  end
  for i = 1, 3 do pids[i] = assert(process.spawn_monitored("app:deaf", HOST)) end
  for _, name in ipairs({ "spawn", "spawn_monitored", "spawn_linked", "spawn_linked_monitored" }) do
    full(name, process[name]("app:deaf", HOST))
    full(name .. " builder", process.with_context({})[name](process.with_context({}), "app:deaf", HOST))
  end
  local _, err = process.exec("app:give", HOST, 1)
  check.same("exec", err:message(), FULL)
  -- Nothing is counted that did not come to life.
  check.same("nothing more", channel.select({ events:case_receive(), default = true }).default, true)
  process.terminate(pids[1])
  events:receive()
  local pid, last
  for _ = 1, 200 do
    pid, last = process.spawn_monitored("app:deaf", HOST)
    if pid then break end
    time.sleep("1ms")
  end
  check.same("room again", last, nil)
  full("full again", process.spawn("app:deaf", HOST))
  for _, p in ipairs({ pid, pids[2], pids[3] }) do process.terminate(p) events:receive() end

  -- A failed start gives its place back.
  for _ = 1, 10 do
    local _, e = process.spawn("app:none", HOST)
    check.same("unknown", e:kind(), "NotFound")
  end
  -- Many at once: never more than three live.
  local alive, made, refused = 0, 0, 0
  for _ = 1, 50 do
    local p = process.spawn_monitored("app:deaf", HOST)
    if p then made = made + 1 pids[made] = p else refused = refused + 1 end
  end
  check.same("three of fifty", made .. "/" .. refused, "3/47")
  for i = 1, made do process.terminate(pids[i]) events:receive() end
  return check.done()
end

return { main = main }
