local funcs = require("funcs")
local check = require("check")

local function main()
  check.same("call", (funcs.call("app:add", 1, 2)), 3)
  check.same("nil", select("#", funcs.call("app:nothing", 1)) >= 1 and (funcs.call("app:nothing")), nil)
  check.refuses("empty", "Invalid", "function ID required", funcs.call(""))
  check.refuses("no namespace", "Invalid", "namespace required in function ID", funcs.call("add"))
  check.refuses("no namespace", "Invalid", "namespace required in function ID", funcs.call(":add"))
  check.refuses("no name", "Invalid", "name required in function ID", funcs.call("app:"))
  check.refuses("unknown", "NotFound", "no handler registered for target", funcs.call("app:none"))
  check.refuses("method", "NotFound", 'method "absent" not found in module', funcs.call("app:no_method"))
  check.refuses("chunk", "Internal", "failed to execute script", funcs.call("app:broken"))
  local _, lost = funcs.new():with_options({ network = "app:none" }):call("app:add", 1, 2)
  check.same("network", lost:kind() .. lost:message(), "network: service not found")
  check.raises("type", "string expected", funcs.call, {})

  local function shown(v, err)
    return tostring(v) .. " " .. err:kind() .. " " .. err:message() .. " " .. tostring(err:retryable())
  end
  check.same("raise", string.match(shown(funcs.call("app:fail", "raise")), "^nil Internal app:fail:%d+: boom nil$") ~= nil, true)
  check.same("text", shown(funcs.call("app:fail", "text")), "nil Internal words false")
  local v, err = funcs.call("app:fail", "object")
  check.same("object", shown(v, err) .. tostring(err:details().a), "nil NotFound gone true1")

  -- Executors are immutable; options replace, context merges.
  local one = funcs.new():with_context({ a = 1 })
  local two = one:with_context({ b = 2 })
  check.same("one", (one:call("app:values")).b, nil)
  local got = two:call("app:values", true)
  check.same("two, inherited below", got.a .. got.b, "12")
  check.raises("actor", "actor expected", one.with_actor, one, nil)
  check.raises("scope", "scope expected", one.with_scope, one, 3)
  check.raises("context", "table expected", one.with_context, one, 3)
  check.same("unknown options", (funcs.new():with_options({ timeout = 1, priority = "x" }):call("app:add", 2, 2)), 4)

  -- Each call has a pid of its own.
  check.same("pids", (funcs.call("app:me")) ~= (funcs.call("app:me")), true)

  -- A callee ends with its caller.
  local events = process.events()
  local pid = assert(process.spawn_monitored("app:caller", "app:processes", "callee"))
  local callee
  while not callee do callee = process.registry.lookup("callee") coroutine.yield() end
  check.same("monitor a call", process.monitor(callee), true)
  process.terminate(pid)
  local seen = {}
  for _ = 1, 2 do
    local e = events:receive()
    seen[e.from] = e.result.error:kind() .. e.result.error:message()
  end
  check.same("callee", seen[callee], "Canceledcontext canceled")
  check.same("caller", seen[pid], "Internalprocess terminated")
  check.same("its name", process.registry.lookup("callee"), nil)
  return check.done()
end

return { main = main }
