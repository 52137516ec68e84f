-- Rules of processes and calls, one after the other, that no other program here looks at.
local time = require("time")
local funcs = require("funcs")
local check = require("check")

local HOST = "app:processes"
local events

local function result(...)
  local pid = assert(process.spawn_monitored(...))
  local e = events:receive()
  check.same("from", e.from, pid)
  return e.result.value, e.result.error
end

local function shown(err)
  return err and err:kind() .. " " .. err:message() .. " " .. tostring(err:retryable())
end

local function pids()
  local me = process.pid()
  check.same("form", string.match(me, "^{app:terminal|0x%x%x%x%x%x+}$"), me)
  local host, uniq = string.match(me, "^{(.-)|(.-)}$")
  local inbox = process.inbox()
  process.send("{" .. host .. "|anything|" .. uniq .. "}", "legacy form")
  check.same("legacy", inbox:receive():topic(), "legacy form")
  local one, two = process.spawn("app:give", HOST), process.spawn("app:give", HOST)
  check.same("never the same", one ~= two, true)
  check.raises("read-only", "", function() process.pid = nil end)
  -- A chunk has no process yet.
  check.same("chunk level", (result("app:at_chunk", HOST)), "nil Internal no process PID|nil Internal no process context")
end

local function results()
  check.same("a table is no error", (result("app:give", HOST, "a", {})), "a")
  check.same("a number is no error", (result("app:give", HOST, "a", 7)), "a")
  check.same("third values", (result("app:give", HOST, "a", nil, "words")), "a")
  check.same("nothing", (result("app:give", HOST)), nil)
  check.same("raised object", shown(select(2, result("app:raise_object", HOST))), "Conflict kept true")
  check.same("raised table", select(2, result("app:raise_table", HOST)):kind(), "Internal")
  check.same("in a coroutine", shown(select(2, result("app:coroutine_dies", HOST))), "Internal app:coroutine_dies:1: down there nil")
  check.same("caught in a coroutine", (result("app:coroutine_caught", HOST)), "lives")
  check.same("others end with main", (result("app:leaves_coroutines", HOST, process.pid())), "main")
  time.sleep("20ms")
  check.same("nothing went on", channel.select({ process.listen("went on"):case_receive(), default = true }).default, true)
  -- What an uncaught error says of itself.
  local _, err = result("app:deep_error", HOST)
  check.same("line", err:message(), "app:deep_error:3: at the bottom")
end

local function ends()
  -- When EXIT is here the name is free, the pid is unknown, and it comes once.
  local pid = assert(process.with_options({}):with_name("short lived"):spawn_monitored("app:give", HOST))
  local e = events:receive()
  check.same("exit", e.from, pid)
  check.refuses("name", "NotFound", "name not registered", process.registry.lookup("short lived"))
  check.refuses("pid", "NotFound", "process not found", process.send(pid, "x"))
  check.refuses("cancel", "NotFound", "process not found", process.cancel(pid, "late"))
  check.same("once", channel.select({ events:case_receive(), time.after("10ms"):case_receive() }).channel ~= events, true)

  -- Twice monitored by two processes: each hears of it; unmonitored: nobody does.
  pid = assert(process.spawn_monitored("app:forever", HOST))
  process.unmonitor(pid)
  process.terminate(pid)
  check.same("unmonitored", channel.select({ events:case_receive(), time.after("10ms"):case_receive() }).channel ~= events, true)

  -- exec: the child goes on when the caller ends.
  pid = assert(process.spawn_monitored("app:execs", HOST, process.pid()))
  local child = process.listen("child"):receive()
  process.terminate(pid)
  events:receive()
  check.same("child lives", process.monitor(child), true)
  process.terminate(child)
  events:receive()

  -- A call ends with its caller even when it computes.
  pid = assert(process.spawn_monitored("app:calls_spin", HOST))
  time.sleep("20ms")
  process.terminate(pid)
  check.same("caller", events:receive().result.error:message(), "process terminated")
end

local function calls()
  local _, err = funcs.call("app:none")
  check.same("which target", err:details().target, "app:none")
  -- inline: one at a time, and what the chunk keeps stays.
  local start = time.now()
  local a, b = funcs.async("app:inline", 30), funcs.async("app:inline", 30)
  a:response():receive()
  b:response():receive()
  check.between("inline is serial", time.now():sub(start):milliseconds(), 59, 5000)
  check.same("chunk state", (funcs.call("app:inline", 0)), 3)
  -- lazy: as many as its size.
  start = time.now()
  local fs = {}
  for i = 1, 16 do fs[i] = funcs.async("app:lazy", 40) end
  for i = 1, 16 do fs[i]:response():receive() end
  check.between("lazy is parallel", time.now():sub(start):milliseconds(), 39, 600)
  -- static: made beforehand.
  check.same("warm", (funcs.call("app:warm")), true)
  -- A function that calls itself through a pool of one waits for ever, until its caller goes.
  local pid = assert(process.spawn_monitored("app:recursion", HOST))
  time.sleep("20ms")
  process.terminate(pid)
  events:receive()
  check.same("free again", (funcs.call("app:selfish", false)), "done")
  -- Spread over the workers, computing for ever: they end with their callers.
  local callers = {}
  for i = 1, 10 do callers[i] = assert(process.spawn_monitored("app:compute_caller", HOST)) end
  time.sleep("10ms")
  for i = 1, 10 do process.terminate(callers[i]) end
  for i = 1, 10 do events:receive() end
  start = time.now()
  check.same("workers are free again", (funcs.call("app:computes", 1)), 1)
  check.between("nothing goes on", time.now():sub(start):milliseconds(), 0, 3000)
  -- A function is a process: it may monitor, be sent to, and its names go with it.
  check.same("like a process", (funcs.call("app:like_a_process", process.pid())), "EXIT got it")
  check.refuses("its name", "NotFound", "name not registered", process.registry.lookup("a call"))
end

local function futures()
  local f = assert(funcs.async("app:later", 20, "v"))
  local v, err = f:result()
  check.same("pending", tostring(v) .. tostring(err) .. tostring(f:is_complete()) .. tostring(f:is_canceled()), "nilnilfalsefalse")
  check.same("same channel", f:response() == f:channel(), true)
  local e, failed = f:error()
  check.same("no error", tostring(e) .. tostring(failed), "nilfalse")
  local p, ok = f:channel():receive()
  check.same("delivered", p:data() .. tostring(ok), "vtrue")
  p, ok = f:channel():receive()
  check.same("then closed", tostring(p) .. tostring(ok), "nilfalse")
  check.same("result", f:result():data() .. tostring(f:is_complete()), "vtrue")

  f = assert(funcs.async("app:fail", "object"))
  p, ok = f:channel():receive()
  check.same("the error itself", shown(p) .. tostring(ok), "NotFound gone truetrue")
  check.same("result", shown(select(2, f:result())), "NotFound gone true")
  e, failed = f:error()
  check.same("error", tostring(e) .. tostring(failed), "gonetrue")

  f = assert(funcs.async("app:later", 20, "v"))
  check.same("cancel", f:cancel(), true)
  check.same("twice", f:cancel(), true)
  p, ok = f:channel():receive()
  check.same("closed at once", tostring(p) .. tostring(ok), "nilfalse")
  check.same("canceled", shown(select(2, f:result())) .. tostring(f:is_canceled()), "Canceled canceled falsetrue")
  time.sleep("40ms")
  check.same("a late result is dropped", shown(select(2, f:result())), "Canceled canceled false")
  f = assert(funcs.async("app:later", 10, nil, "fails"))
  f:cancel()
  time.sleep("30ms")
  e, failed = f:error()
  check.same("a late failure too", tostring(e) .. tostring(failed), "nilfalse")
  local done = assert(funcs.async("app:later", 0, "v"))
  done:response():receive()
  done:cancel()
  check.same("after its end", shown(select(2, done:result())), "Canceled canceled false")
  local blocked = assert(funcs.async("app:later", 1000, "v"))
  coroutine.spawn(function() time.sleep("5ms") blocked:cancel() end)
  p, ok = blocked:channel():receive()
  check.same("wakes who waits", tostring(p) .. tostring(ok), "nilfalse")
end

local function coroutines()
  local order = {}
  for i = 1, 3 do
    coroutine.spawn(function()
      order[#order + 1] = "a" .. i
      coroutine.yield()
      order[#order + 1] = "b" .. i
    end)
  end
  time.sleep("5ms")
  check.same("first in, first out", table.concat(order, " "), "a1 a2 a3 b1 b2 b3")
  check.raises("spawn", "function expected", coroutine.spawn, 3)
  local n
  coroutine.spawn(function(...) n = select("#", ...) end, 1, 2)
  time.sleep("1ms")
  check.same("no arguments", n, 0)
  local co = coroutine.create(function() time.sleep("1ms") coroutine.yield(1) return 2 end)
  check.same("waits inside", table.concat({ tostring((coroutine.resume(co))), coroutine.status(co) }, " "), "true suspended")
  coroutine.resume(co)
  local ok, why = coroutine.resume(co)
  check.same("dead", tostring(ok) .. why, "falsecan not resume a dead thread")
end

local function deadlocks()
  local _, err = result("app:deadlock", HOST)
  local text = err:message()
  check.same("deadlock", string.find(text, "deadlock: all coroutines blocked with no pending operations (threads=3)", 1, true), 1)
  for _, place in ipairs({ "app:deadlock:4", "app:deadlock:5", "app:deadlock:7" }) do
    check.same(place, string.find(text, place, 1, true) ~= nil, true)
  end
end

local function main()
  events = process.events()
  pids()
  results()
  ends()
  calls()
  futures()
  coroutines()
  deadlocks()
  return check.done()
end

return { main = main }
