local funcs = require("funcs")
local check = require("check")

local function main()
  check.same("value", (funcs.call("app:callable", "back")), "back")
  check.same("it is a process", string.match((funcs.call("app:callable", "pid")), "^{app:processes|") ~= nil, true)
  check.same("context", (funcs.new():with_context({ k = "v" }):call("app:callable", "ctx")), "v")
  local v, err = funcs.call("app:callable", "raise")
  check.same("raised", err:kind(), "Internal")
  check.same("raised", string.find(err:message(), "raised", 1, true) ~= nil, true)
  v, err = funcs.call("app:callable", "error")
  check.same("error", err:kind() .. tostring(err:retryable()) .. err:message(), "NotFoundtruegone")
  local f = funcs.async("app:callable", "later")
  check.same("async", f:response():receive():data(), "later")

  -- What cannot be started.
  check.refuses("no host", "Internal", "failed to start process: host not found", funcs.call("app:lost_host"))
  check.refuses("chunk", "Internal", "failed to start process: failed to execute script", funcs.call("app:bad_chunk"))
  check.refuses("not callable", "NotFound", "no handler registered for target", funcs.call("app:give"))

  -- A caller that goes away tells it to stop.
  local told = process.listen("told")
  local pid = process.spawn("app:process_function_caller", "app:processes", process.pid())
  while not process.registry.lookup("callable_waits") do coroutine.yield() end
  process.terminate(pid)
  check.same("told", told:receive(), "caller context canceled")
  return check.done()
end

return { main = main }
