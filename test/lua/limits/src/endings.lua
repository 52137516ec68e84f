-- process.terminate() reaches code wherever it is.
local time = require("time")
local check = require("check")

local HOST = "app:processes"

local function main(workers)
  local events, ready = process.events(), process.listen("ready")
  local function expect(what, pid, start, words)
    local e = events:receive()
    check.same(what, e.from, pid)
    check.same(what, e.result.error:message(), words or "process terminated")
    check.between(what, time.now():sub(start):milliseconds(), 0, 3000)
  end

  local programs = { "spin", "spin_protected", "sleeper", "deaf", "caller", "nested" }
  -- What cannot yield keeps its worker from everybody, so only another worker can reach it.
  if tonumber(workers) > 1 then
    programs[#programs + 1] = "sorter"
    programs[#programs + 1] = "gsubber"
  end
  for _, name in ipairs(programs) do
    -- With others in its queue this worker gives an unknown program to another one.
    for _ = 1, 20 do process.spawn("app:give", HOST) end
    local pid = assert(process.spawn_monitored("app:" .. name, HOST))
    time.sleep("20ms")
    local start = time.now()
    check.same(name, process.terminate(pid), true)
    expect(name, pid, start)
  end

  -- A chunk that runs while a process replaces its code.
  if tonumber(workers) == 1 then return check.done() end
  for _ = 1, 20 do process.spawn("app:give", HOST) end
  local pid = assert(process.spawn_monitored("app:upgrades_to_chunk", HOST, process.pid()))
  ready:receive()
  time.sleep("20ms")
  local start = time.now()
  process.terminate(pid)
  expect("chunk", pid, start)
  return check.done()
end

return { main = main }
