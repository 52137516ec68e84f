-- host.mailbox_size: send() waits for room.
local time = require("time")
local pg = require("pg")
local check = require("check")

local HOST = "app:narrow"

local function main()
  local events, got, up = process.events(), process.listen("got"), process.listen("up")
  local all, sent, joined, read = process.listen("all"), process.listen("sent"), process.listen("joined"), process.listen("read")

  -- Six senders, a hundred each: all arrive, each one's in order, and nobody is ahead of the reader by more than the bound.
  local reader = assert(process.spawn("app:reader", HOST, process.pid()))
  local n = 0
  for i = 1, 5 do check.same("room", process.send(reader, "first", i), true) end
  coroutine.spawn(function()
    for i = 6, 30 do process.send(reader, "first", i) n = i end
    n = "done"
  end)
  time.sleep("20ms")
  check.same("waits", n, 0)
  process.cancel(reader, "start")
  for i = 1, 30 do
    local m = got:receive()
    if m[1] ~= "first" or m[2] ~= i then check.same("order", m[2], i) break end
  end
  time.sleep("5ms")
  check.same("all sent", n, "done")
  local e
  process.terminate(reader)

  -- Senders of other processes.
  reader = assert(process.spawn("app:reader", HOST, process.pid()))
  process.cancel(reader, "start")
  local from = {}
  for i = 1, 6 do assert(process.spawn_monitored("app:sender", "app:processes", reader, 100)) end
  local count, last = 0, 0
  for _ = 1, 600 do
    local m = got:receive()
    count = count + 1
    last = last + m[2]
  end
  check.same("all arrived", count .. " " .. last, "600 30300")
  for _ = 1, 6 do check.same("sent", events:receive().result.value, 100) end

  -- Order of one sender.
  assert(process.spawn("app:sender", "app:processes", reader, 200))
  for i = 1, 200 do
    local m = got:receive()
    if m[2] ~= i then check.same("order", m[2], i) break end
  end
  process.terminate(reader)

  -- What is received through channels of its own makes room as well, and nothing gets stuck between two of them.
  local listener = assert(process.spawn("app:listener", HOST, process.pid()))
  up:receive()
  for i = 1, 5 do process.send(listener, "b", i) end
  coroutine.spawn(function() for i = 1, 40 do process.send(listener, "a", i) end end)
  for i = 6, 40 do process.send(listener, "b", i) end
  all:receive()

  -- The receiver ends: whoever waits hears of it, and system messages were never refused.
  local deaf = assert(process.spawn_monitored("app:reader", HOST, process.pid()))
  local pid = assert(process.spawn_monitored("app:sender", "app:processes", deaf, 10))
  time.sleep("20ms")
    check.same("link", process.link(deaf), true)
  process.unlink(deaf)
  process.terminate(deaf)
  local seen = {}
  for _ = 1, 2 do
    e = events:receive()
    seen[e.from] = e.result
  end
  check.same("terminated", seen[deaf].error:message(), "process terminated")
  check.same("told", seen[pid].error and (seen[pid].error:kind() .. seen[pid].error:message()), "NotFoundprocess not found")

  -- The sender ends while it waits: its message is not sent, and the next one has its place.
  reader = assert(process.spawn("app:reader", HOST, process.pid()))
  for i = 1, 4 do process.send(reader, "mine", i) end
  process.cancel(reader, "start")
  for i = 1, 4 do check.same("mine", got:receive()[2], i) end
  process.terminate(reader)
  local quiet = assert(process.spawn("app:polite", HOST))
  pid = assert(process.spawn_monitored("app:sender", "app:processes", quiet, 10))
  time.sleep("20ms")
  process.terminate(pid)
  check.same("killed while it waits", events:receive().result.error:message(), "process terminated")
  process.terminate(quiet)

  -- To itself, and where waiting is impossible: an error that says so.
  e = nil
  assert(process.spawn_monitored("app:self_sender", HOST))
  e = events:receive()
  check.same("itself", string.gsub(tostring(e.result.value), "{.-}", "PID"),
    "RateLimited true 5 mailbox of PID is full: host app:narrow lets 5 messages wait (host.mailbox_size)")
  reader = assert(process.spawn("app:reader", HOST, process.pid()))
  assert(process.spawn_monitored("app:callback_sender", "app:processes", reader))
  check.same("callback", events:receive().result.value, "RateLimited6")
  process.terminate(reader)

  -- First messages of a spawn are never refused.
  local s = process.with_context({})
  for i = 1, 9 do s = s:with_message("m", i) end
  reader = assert(s:spawn("app:reader", HOST, process.pid()))
  check.same("first messages", type(reader), "string")
  process.terminate(reader)

  -- A broadcast waits for the slowest member.
  local g = assert(pg.open("app:groups"))
  local members = {}
  for i = 1, 3 do members[i] = assert(process.spawn("app:member", HOST, process.pid(), 20)) joined:receive() end
  local done = false
  coroutine.spawn(function()
    for i = 1, 20 do assert(g:broadcast("all", "m", i)) end
    done = true
  end)
  time.sleep("20ms")
  check.same("broadcast waits", done, false)
  for i = 1, 3 do process.terminate(members[i]) end
  time.sleep("20ms")
  check.same("members that end let it go on", done, true)
  return check.done()
end

return { main = main }
