local time = require("time")
local check = require("check")

local HOST = "app:processes"
local events

-- How late a process that does nothing wrong is, while others misbehave, in half of the rounds: the machine may do something else in some.
local function usual_delay(rounds)
  local delays = {}
  for i = 1, rounds do
    local start = time.now()
    time.sleep("2ms")
    delays[i] = time.now():sub(start):milliseconds()
  end
  table.sort(delays)
  return delays[math.ceil(rounds / 2)]
end

local function expect_exit(pid, words)
  local e = events:receive()
  check.same(words .. " from", e.from, pid)
  check.same(words, string.find(tostring(e.result.error), words, 1, true) ~= nil, true)
end

local function main()
  events = process.events()

  -- Loops for ever, several of them: the others have their turn, and they can be ended.
  local spins = {}
  for i = 1, 4 do spins[i] = assert(process.spawn("app:spin", HOST)) end
  check.between("beside endless loops", usual_delay(20), 0, 500)
  for i = 1, 4 do
    process.monitor(spins[i])
    process.terminate(spins[i])
    expect_exit(spins[i], "process terminated")
  end

  -- Allocates for ever: it dies of the cap, not the program.
  local hog = assert(process.spawn_monitored("app:hog", HOST))
  expect_exit(hog, "memory limit of")
  check.same("life goes on", (process.exec("app:give", HOST, "v")), "v")

  -- Floods another's inbox: that one goes on, everybody else does.
  local victim = assert(process.spawn_monitored("app:drain", HOST, 200000))
  local flood = assert(process.spawn("app:flood", HOST, victim, 200000))
  check.between("beside a flood", usual_delay(10), 0, 1000)
  local e = events:receive()
  check.same("all arrived", e.result.value, 200000)

  -- Dies in a timer.
  local dies = assert(process.spawn_monitored("app:timer_death", HOST))
  expect_exit(dies, "in the timer")

  -- Ten thousand that crash at once.
  local crowd = {}
  for i = 1, 10000 do crowd[assert(process.spawn_monitored("app:crash_on", HOST))] = true end
  for pid in pairs(crowd) do process.send(pid, "now") end
  local n = 0
  for _ = 1, 10000 do
    e = events:receive()
    if crowd[e.from] and e.result.error then n = n + 1 crowd[e.from] = nil end
  end
  check.same("all crashed", n, 10000)
  check.same("life goes on", (process.exec("app:give", HOST, "v")), "v")
  return check.done()
end

return { main = main }
