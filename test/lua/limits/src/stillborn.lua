-- Children promised by a worker that has no time yet, on a host that stops before they come to life: they end with an error, and their places are free.
local events = require("events")
local time = require("time")
local check = require("check")

local HOST, PLACES = "app:hundred", 100

local function spawn_when_running(id)
  for _ = 1, 400 do
    if process.spawn(id, HOST) then return true end
    time.sleep("5ms")
  end
end

local function number_of(pid: string)
  return tonumber(string.match(pid, "|0x(%x+)}"), 16)
end

-- A process that keeps another worker from everything else for a while.
local function hold_a_worker(workers: number)
  while true do
    local pid = assert(process.spawn_monitored("app:toils", HOST, 0.4))
    if number_of(pid) % workers ~= number_of(process.pid()) % workers then
      assert(process.send(pid, "go"))
      return
    end
  end
end

local function main(workers)
  workers = tonumber(workers)
  local signals = process.events()
  -- Known to take long, it is made by whoever has less to do.
  assert(process.spawn_monitored("app:toils", HOST, 0.001, true))
  signals:receive()
  hold_a_worker(workers)
  time.sleep("20ms")
  local n = PLACES // 2
  for _ = 1, n do assert(process.spawn_monitored("app:toils", HOST, 0.001)) end
  assert(events.send("supervisor", "service.stop", HOST))
  local stillborn = 0
  for _ = 1, n do
    local err = signals:receive().result.error
    if err and err:message() == "host is shutting down" then stillborn = stillborn + 1 end
  end
  check.between("that never lived", stillborn, 1, n)
  time.sleep("50ms")
  assert(events.send("supervisor", "service.start", HOST))
  assert(spawn_when_running("app:deaf"))
  for i = 2, PLACES do
    local _, err = process.spawn("app:deaf", HOST)
    check.same("place " .. tostring(i), err and err:message(), nil)
  end
  local _, err = process.spawn("app:deaf", HOST)
  check.same("one more", err and err:kind(), "RateLimited")
  return check.done()
end

return { main = main }
