local time = require("time")
local check = require("check")

local MS = time.MILLISECOND

-- What one waits for is never early; how late is the machine's affair.
local function since(start)
  return time.now():sub(start):nanoseconds()
end

local function sleeping()
  local start = time.now()
  check.same("sleep returns nothing", select("#", time.sleep("30ms")), 0)
  check.between("sleep", since(start), 30 * MS, 5 * time.SECOND)
  start = time.now()
  time.sleep(assert(time.parse_duration("5ms")))
  time.sleep(5 * MS)
  check.between("sleep", since(start), 10 * MS, 5 * time.SECOND)

  -- No time at all is a scheduling point still.
  local order = {}
  coroutine.spawn(function()
    order[#order + 1] = "a1"
    time.sleep(0)
    order[#order + 1] = "a2"
  end)
  order[#order + 1] = "m1"
  time.sleep("20ms")
  order[#order + 1] = "m2"
  check.same("sleep 0", table.concat(order, " "), "a1 m1 a2 m2")
  start = time.now()
  time.sleep("-1h")
  time.sleep(-1)
  check.between("sleep < 0", since(start), 0, 5 * time.SECOND)
  check.refuses("nonsense", "Invalid", "invalid duration", time.sleep("x"))
  check.refuses("nothing", "Invalid", "duration must be number or string", time.sleep())

  -- Sleepers do not wait for each other.
  local done = channel.new(3)
  start = time.now()
  for _, ms in ipairs({ 60, 20, 40 }) do
    coroutine.spawn(function()
      time.sleep(ms * MS)
      done:send(ms)
    end)
  end
  check.same("first", (done:receive()), 20)
  check.same("second", (done:receive()), 40)
  check.same("third", (done:receive()), 60)

  -- Through pcall and a coroutine of one's own.
  local co = coroutine.wrap(function()
    local ok = pcall(time.sleep, "1ms")
    coroutine.yield(ok)
    return "end"
  end)
  check.same("inside pcall", co(), true)
  check.same("after it", co(), "end")
  check.raises("in a comparison", "cannot wait", table.sort, { 2, 1 }, function(a, b)
    time.sleep("1ms")
    return a < b
  end)
end

local function after()
  local start = time.now()
  local ch = assert(time.after("20ms"))
  local t, ok = ch:receive()
  check.same("ok", ok, true)
  check.between("after", since(start), 20 * MS, 5 * time.SECOND)
  check.between("the value is when it fired", t:sub(start):nanoseconds(), 20 * MS, 5 * time.SECOND)
  check.same("local", t:location(), time.localtz)
  for _ = 1, 3 do
    local v, more = ch:receive()
    check.same("closed", v, nil)
    check.same("closed", more, false)
  end

  -- Nobody there when it fires: the value stays.
  ch = assert(time.after(1))
  time.sleep("10ms")
  t, ok = ch:receive()
  check.same("kept", ok, true)
  check.same("then closed", select(2, ch:receive()), false)

  -- As a limit in select.
  local never = channel.new()
  ch = assert(time.after("10ms"))
  local r = channel.select({ never:case_receive(), ch:case_receive() })
  check.same("select", r.channel, ch)
  check.same("select", r.ok, true)

  -- A program may close the channel: then nothing comes.
  ch = assert(time.after("5ms"))
  ch:close()
  check.same("closed by hand", select(2, ch:receive()), false)
  time.sleep("15ms")
  check.same("closed by hand", select(2, ch:receive()), false)

  check.refuses("zero", "Invalid", "time.after: duration must be > 0", time.after(0))
  check.refuses("negative", "Invalid", "time.after: duration must be > 0", time.after("-1s"))
  check.refuses("zero", "Invalid", "time.timer: duration must be > 0", time.timer(0))
  check.refuses("zero", "Invalid", "time.ticker: duration must be > 0", time.ticker(0))
  check.refuses("nonsense", "Invalid", "invalid duration", time.after("x"))
  check.refuses("nonsense", "Invalid", "duration must be number or string", time.ticker({}))
end

local function timer()
  local start = time.now()
  local tm = assert(time.timer("20ms"))
  check.same("one channel", tm:response(), tm:channel())
  check.same("type", type(tm), "userdata")
  local t, ok = tm:response():receive()
  check.same("ok", ok, true)
  check.between("timer", t:sub(start):nanoseconds(), 20 * MS, 5 * time.SECOND)
  check.same("closed", select(2, tm:channel():receive()), false)
  check.same("stop after it fired", tm:stop(), false)
  check.same("reset after it fired", tm:reset("1ms"), false)
  check.same("still closed", select(2, tm:channel():receive()), false)

  tm = assert(time.timer("1h"))
  local woken = channel.new(1)
  coroutine.spawn(function()
    local _, more = tm:channel():receive()
    woken:send(more)
  end)
  time.sleep("1ms")
  check.same("stop", tm:stop(), true)
  check.same("a blocked receiver is told", (woken:receive()), false)
  check.same("stop again", tm:stop(), false)
  check.same("reset a stopped one", tm:reset("1ms"), false)

  -- Later, and nothing from before.
  start = time.now()
  tm = assert(time.timer("10ms"))
  check.same("reset", tm:reset("60ms"), true)
  t = tm:channel():receive()
  check.between("reset", t:sub(start):nanoseconds(), 60 * MS, 5 * time.SECOND)
  -- Sooner.
  start = time.now()
  tm = assert(time.timer("1h"))
  tm:reset("5ms")
  tm:channel():receive()
  check.between("reset", since(start), 5 * MS, 60 * time.SECOND)

  tm = assert(time.timer("1h"))
  check.raises("reset to zero", "timer:reset: duration must be > 0", tm.reset, tm, 0)
  check.raises("reset to nonsense", "timer:reset: ", tm.reset, tm, "x")
  check.raises("reset to nothing", "timer:reset: ", tm.reset, tm)
  check.raises("no timer", "time.Timer expected", tm.stop, time.now())
  check.same("still pending", tm:stop(), true)

  -- The channel is fed also when the handle is garbage.
  local function only_channel()
    return assert(time.timer("20ms")):channel()
  end
  local ch = only_channel()
  check.make_garbage()
  check.same("without its handle", select(2, ch:receive()), true)
end

local function ticker()
  local start = time.now()
  local tk = assert(time.ticker("10ms"))
  check.same("one channel", tk:response(), tk:channel())
  for i = 1, 5 do
    local t, ok = tk:response():receive()
    check.same("tick", ok, true)
    check.between("tick " .. i, t:sub(start):nanoseconds(), i * 10 * MS, 60 * time.SECOND)
  end
  check.same("stop", tk:stop(), true)
  check.same("stop again", tk:stop(), true)
  -- What was there when it stopped may still be taken, then it is closed.
  local n = 0
  while select(2, tk:channel():receive()) do n = n + 1 end
  check.between("left over", n, 0, 16)

  -- Nobody takes: sixteen are kept, the rest is dropped.
  tk = assert(time.ticker("1ms"))
  time.sleep("100ms")
  tk:stop()
  n = 0
  while select(2, tk:channel():receive()) do n = n + 1 end
  check.same("kept", n, 16)

  -- A beat that no worker could keep.
  tk = assert(time.ticker(1))
  for _ = 1, 100 do tk:channel():receive() end
  tk:stop()
end

local function main()
  sleeping()
  after()
  timer()
  ticker()
  return check.done()
end

return { main = main }
