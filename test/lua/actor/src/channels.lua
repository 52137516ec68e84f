local time = require("time")
local check = require("check")

local function main()
  -- Rendezvous, buffers, order.
  local c = channel.new()
  local log = {}
  coroutine.spawn(function() for i = 1, 3 do c:send(i) log[#log + 1] = "s" .. i end end)
  for i = 1, 3 do check.same("value", (c:receive()), i) end
  local b = channel.new(2)
  check.same("send", b:send("x"), true)
  b:send(nil)
  local v, ok = b:receive()
  check.same("fifo", v, "x")
  v, ok = b:receive()
  check.same("nil is a value", ok, true)
  check.same("negative size", channel.select({ channel.new(-1):case_send(1), default = true }).default, true)
  check.raises("size", "number expected", channel.new, "x")

  -- Closing.
  local d = channel.new(1)
  d:send("left")
  d:close()
  d:close()
  v, ok = d:receive()
  check.same("drains", v, "left")
  v, ok = d:receive()
  check.same("closed", ok, false)
  check.raises("closed", "send on closed channel", d.send, d, 1)
  local blocked = channel.new()
  local answer
  coroutine.spawn(function() answer = { blocked:send(1) } end)
  coroutine.spawn(function() blocked:close() end)
  time.sleep("1ms")
  check.same("blocked send", answer[1], nil)
  check.same("blocked send", tostring(answer[2]), "send on closed channel")

  -- Select: first ready one in order, default, results.
  local x, y = channel.new(1), channel.new(1)
  y:send("y")
  x:send("x")
  local r = channel.select({ x:case_receive(), y:case_receive() })
  check.same("order", r.channel == x and r.value .. tostring(r.ok), "xtrue")
  r = channel.select({ x:case_receive(), default = true })
  check.same("default", tostring(r.default) .. tostring(r.ok), "truetrue")
  r = channel.select({ x:case_receive() }, true)
  check.same("second argument", r.default, true)
  r = channel.select({ x:case_send("sent"), y:case_receive() })
  check.same("send case", r.channel == x and r.value .. tostring(r.ok), "senttrue")
  r = channel.select({ d:case_receive() })
  check.same("closed receive", r.value, nil)
  check.same("closed receive", r.ok, false)
  r = channel.select({ d:case_send(1), default = true })
  check.same("closed send is never ready", r.default, true)
  r = channel.select({ 3, "x", y:case_receive() })
  check.same("others are skipped", r.value, "y")
  check.raises("no table", "table expected", channel.select, 3)
  local z = channel.new()
  coroutine.spawn(function() z:send("late") end)
  r = channel.select({ x:case_send(1), z:case_receive() })
  check.same("blocked sender is ready", r.value, "late")
  local w1, w2 = channel.new(), channel.new()
  coroutine.spawn(function() time.sleep("2ms") w2:send(2) end)
  r = channel.select({ w1:case_receive(), w2:case_receive() })
  check.same("waits", r.value, 2)
  check.same("withdrawn", channel.select({ w1:case_send(1), default = true }).default, true)
  coroutine.spawn(function() time.sleep("1ms") w1:close() end)
  local none, err = channel.select({ w1:case_send(1) })
  check.same("closed while waiting to send", none, nil)
  check.same("closed while waiting to send", tostring(err), "send on closed channel")
  local again = y:case_receive()
  for i = 1, 2 do
    y:send(i)
    check.same("reusable", channel.select({ again }).value, i)
  end

  -- An external channel whose last feed ends wakes who waits there, and then nobody can: that is a deadlock, told at once.
  local pid = assert(process.spawn_monitored("app:stuck", "app:processes"))
  local e = process.events():receive()
  check.same("deadlock", string.find(tostring(e.result.error), "deadlock: all coroutines blocked with no pending operations (threads=1)", 1, true), 1)
  return check.done()
end

return { main = main }
