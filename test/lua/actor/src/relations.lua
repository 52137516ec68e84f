local check = require("check")

local HOST = "app:processes"

local function main()
  process.set_options({ trap_links = true })
  local events, ready = process.events(), process.listen("ready")
  local function expect(what, kind, from)
    local e = events:receive()
    check.same(what, e.kind, kind)
    check.same(what .. " from", e.from, from)
    return e
  end
  local EXIT, LINK_DOWN = process.event.EXIT, process.event.LINK_DOWN
  check.same("constants", EXIT .. LINK_DOWN .. process.event.CANCEL, "pid.exitpid.link.downpid.cancel")

  -- Both at once: EXIT first.
  local pid = assert(process.spawn_linked_monitored("app:crash", HOST, "both"))
  check.text("error", expect("exit", EXIT, pid).result.error, "app:crash:1: both")
  check.text("error", expect("link", LINK_DOWN, pid).result.error, "app:crash:1: both")

  -- A normal end is silent for links.
  process.spawn_linked("app:give", HOST)
  pid = assert(process.spawn_monitored("app:give", HOST, 1))
  expect("only the monitor", EXIT, pid)

  -- Twice, gone, removed.
  pid = assert(process.spawn("app:forever", HOST))
  check.same("monitor", process.monitor(pid), true)
  check.refuses("twice", "Internal", "already monitoring pid", process.monitor(pid))
  check.same("link", process.link(pid), true)
  check.same("link twice", process.link(pid), true)
  check.same("unmonitor", process.unmonitor(pid), true)
  check.same("unmonitor twice", process.unmonitor(pid), true)
  check.same("unlink", process.unlink(pid), true)
  check.same("unlink twice", process.unlink(pid), true)
  check.same("monitor again", process.monitor(pid), true)
  process.terminate(pid)
  local e = expect("terminated", EXIT, pid)
  check.same("terminated", e.result.error:kind() .. e.result.error:message() .. tostring(e.result.error:retryable()), "Internalprocess terminatednil")
  check.refuses("gone", "Internal", "pid not registered", process.monitor(pid))
  check.refuses("gone", "Internal", "pid not registered", process.link(pid))
  check.refuses("gone", "NotFound", "process not found", process.send(pid, "x"))
  check.refuses("gone", "Internal", "process not found", process.terminate(pid))
  check.same("gone", process.cancel(pid), nil)
  check.refuses("no name", "NotFound", "could not resolve 'x' as PID or registered name", process.monitor("x"))

  -- Cancel: cooperative, with a reason.
  pid = assert(process.spawn_monitored("app:polite", HOST))
  check.same("cancel", process.cancel(pid, "why"), true)
  check.same("cancel", expect("canceled", EXIT, pid).result.value, "pid.cancel why")
  pid = assert(process.spawn_monitored("app:polite", HOST))
  process.cancel(pid)
  check.same("no reason", expect("canceled", EXIT, pid).result.value, "pid.cancel ")

  -- A link's failure passes through whoever does not trap it, even one that never looked at events.
  pid = assert(process.spawn_monitored("app:linked", HOST, process.pid()))
  local child = ready:receive()
  process.terminate(child)
  check.same("passed on", expect("linked", EXIT, pid).result.error:message(), "linked process failed")

  -- Spinning code is ended as well.
  pid = assert(process.spawn_monitored("app:spin", HOST))
  process.terminate(pid)
  check.same("spinning", expect("spinning", EXIT, pid).result.error:message(), "process terminated")

  -- A process on a terminal host is left alone.
  check.same("terminal", process.terminate(process.pid()), true)

  -- Messages sent before the end come before its EXIT.
  pid = assert(process.spawn_monitored("app:talker", HOST, process.pid()))
  local inbox = process.inbox()
  for i = 1, 100 do check.same("message", inbox:receive():payload():data(), i) end
  expect("after its messages", EXIT, pid)
  return check.done()
end

return { main = main }
