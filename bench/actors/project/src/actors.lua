local io = require("io")
local time = require("time")
local funcs = require("funcs")

local HOST = "bench:processes"

local function now()
  return time.now():unix_nano()
end

local function answers(inbox, n)
  for _ = 1, n do inbox:receive() end
end

local function ask_all(inbox, pids)
  for i = 1, #pids do process.send(pids[i], "ping") end
  answers(inbox, #pids)
end

local function spawn_all(n)
  local pids = {}
  for i = 1, n do pids[i] = assert(process.spawn("bench:waiter", HOST)) end
  return pids
end

local run = {}

-- Nanoseconds for each process that waits for a message, spawned by one; until the last one answers.
function run.spawn(n)
  local inbox = process.inbox()
  local begun = now()
  local pids = spawn_all(n)
  process.send(pids[n], "ping")
  inbox:receive()
  return (now() - begun) / n
end

-- Nanoseconds for all of n processes that end at once, until their monitor heard of each end.
function run.monitored(n)
  local events = process.events()
  local begun = now()
  for _ = 1, n do assert(process.spawn_monitored("bench:brief", HOST)) end
  for _ = 1, n do events:receive() end
  return now() - begun
end

-- Nanoseconds for a message there and one back.
function run.pingpong(n)
  local inbox = process.inbox()
  local pid = process.spawn("bench:waiter", HOST)
  local begun = now()
  for _ = 1, n do
    process.send(pid, "ping")
    inbox:receive()
  end
  return (now() - begun) / n
end

-- Nanoseconds for a message of one sender to one receiver, until all are received.
function run.send(n)
  local inbox = process.inbox()
  local pid = process.spawn("bench:counter", HOST, process.pid(), n)
  local begun = now()
  for i = 1, n do process.send(pid, "count", i) end
  inbox:receive()
  return (now() - begun) / n
end

-- Nanoseconds for n processes that live at once: all spawned, all asked, all answered.
function run.crowd(n)
  local inbox = process.inbox()
  local begun = now()
  ask_all(inbox, spawn_all(n))
  return now() - begun
end

-- Says "before", waits for a line, makes n processes that all answered once, says "after" and waits again.
function run.idle(n)
  local inbox = process.inbox()
  io.print("before")
  io.readline()
  local pids = spawn_all(n)
  for i = 1, n do process.send(pids[i], "ping") end
  pids = nil
  answers(inbox, n)
  io.print("after")
  io.readline()
  return 0
end

-- The longest that a turn of a few messages takes, in nanoseconds, while n processes are alive and all make garbage.
function run.stall(n)
  local inbox = process.inbox()
  local pids = spawn_all(n)
  ask_all(inbox, pids)
  local at, worst, before = 1, 0, now()
  local until_ns = before + 4000000000
  while before < until_ns do
    for _ = 1, 16 do
      process.send(pids[at], "ping")
      at = at % n + 1
    end
    answers(inbox, 16)
    local after = now()
    if after - before > worst then worst = after - before end
    before = after
  end
  return worst
end

-- Nanoseconds for a call of a small function.
function run.call(n)
  local begun = now()
  for i = 1, n do funcs.call("bench:add", i, 1) end
  return (now() - begun) / n
end

local function main(what, amount)
  local result = run[what](math.floor(tonumber(amount)))
  io.print(string.format("result %.0f", result))
  return 0
end

return { main = main }
