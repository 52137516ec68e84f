-- process.cancel() with a deadline.
local time = require("time")
local check = require("check")

local HOST = "app:processes"
local events

local function ended(pid)
  local e = events:receive()
  check.same("who ended", e.from, pid)
  return e.result
end

local function elapsed(start)
  return time.now():sub(start):milliseconds()
end

local function main()
  events = process.events()
  local words = "process terminated: it did not stop within 30ms after it was canceled"

  -- Who does not listen is terminated, not before.
  for what, program in pairs({ waiting = "app:deaf", sleeping = "app:sleeper", looping = "app:spin", protected = "app:spin_protected" }) do
    for how, deadline in pairs({ text = "30ms", number = 30 * time.MILLISECOND, duration = time.parse_duration("30ms"),
        options = { deadline = "30ms" } }) do
      local pid = assert(process.spawn_monitored(program, HOST))
      local start = time.now()
      check.same(what .. how, process.cancel(pid, "enough", deadline), true)
      local err = ended(pid).error
      check.same(what .. how, err:kind() .. " " .. err:message() .. " " .. tostring(err:retryable()), "Timeout " .. words .. " nil")
      check.between(what .. how, elapsed(start), 29, 5000)
    end
  end

  -- Who stops in time ends as it likes.
  local pid = assert(process.spawn_monitored("app:slow_stop", HOST))
  process.cancel(pid, "why", "10s")
  check.same("in time", ended(pid).value, "in time")
  pid = assert(process.spawn_monitored("app:polite", HOST))
  process.cancel(pid, "the reason", "10s")
  check.same("the event", ended(pid).value, "pid.cancel the reason")

  -- The earliest of several holds; one without a deadline changes nothing.
  pid = assert(process.spawn_monitored("app:deaf", HOST))
  process.cancel(pid, "", "1h")
  process.cancel(pid, "", "20ms")
  process.cancel(pid, "", "2h")
  process.cancel(pid)
  check.same("earliest", string.find(ended(pid).error:message(), "within 20ms", 1, true) ~= nil, true)

  -- A new program does not escape it.
  pid = assert(process.spawn_monitored("app:upgrades_when_canceled", HOST))
  process.cancel(pid, "", "30ms")
  check.same("upgrade", ended(pid).error:message(), words)

  -- The host's own.
  pid = assert(process.spawn_monitored("app:deaf", "app:hasty"))
  process.cancel(pid, "")
  check.same("host", ended(pid).error:message(), words)
  pid = assert(process.spawn_monitored("app:deaf", "app:hasty"))
  process.cancel(pid, "", 0)
  check.same("none after all", channel.select({ events:case_receive(), time.after("80ms"):case_receive() }).channel ~= events, true)
  process.terminate(pid)
  ended(pid)
  pid = assert(process.spawn_monitored("app:deaf", HOST))
  process.cancel(pid, "")
  check.same("no deadline by default", channel.select({ events:case_receive(), time.after("50ms"):case_receive() }).channel ~= events, true)
  process.terminate(pid)
  ended(pid)

  -- Links hear of it as of any failure.
  process.set_options({ trap_links = true })
  pid = assert(process.spawn_linked("app:deaf", HOST))
  process.cancel(pid, "", "10ms")
  local e = events:receive()
  check.same("link", e.kind .. e.result.error:kind(), "pid.link.downTimeout")

  -- A process on a terminal host is asked, and no more.
  check.same("terminal", process.cancel(process.pid(), "self", "1ms"), true)
  time.sleep("20ms")
  check.same("still there", events:receive().reason, "self")

  -- What is no deadline.
  check.refuses("negative", "Invalid", "deadline must not be negative", process.cancel(process.pid(), "", "-1s"))
  check.refuses("text", "Invalid", "time: invalid duration", process.cancel(process.pid(), "", "soon"))
  check.refuses("type", "Invalid", "duration must be number or string", process.cancel(process.pid(), "", true))
  check.refuses("option", "Invalid", "time: unknown unit", process.cancel(process.pid(), "", { deadline = "1d" }))
  check.same("empty options", process.cancel(process.pid(), "again", {}), true)
  check.raises("reason", "string expected", process.cancel, process.pid(), {})
  check.same("gone", (process.cancel(pid, "", "1s")), nil)
  return check.done()
end

return { main = main }
