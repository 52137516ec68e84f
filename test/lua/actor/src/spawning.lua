local check = require("check")
local funcs = require("funcs")

local HOST = "app:processes"

local function main()
  local INVALID, NOT_FOUND, INTERNAL, UNAVAILABLE = "Invalid", "NotFound", "Internal", "Unavailable"
  for _, name in ipairs({ "spawn", "spawn_monitored", "spawn_linked", "spawn_linked_monitored" }) do
    check.refuses(name, INVALID, name .. " requires at least id and host arguments", process[name]("app:give"))
    check.refuses(name, NOT_FOUND, "host not found", process[name]("app:give", "app:none"))
    check.refuses(name, INTERNAL, "host does not implement", process[name]("app:give", "app:give"))
    check.refuses(name, UNAVAILABLE, "host is not running", process[name]("app:give", "app:asleep"))
    check.refuses(name, NOT_FOUND, "factory not found", process[name]("app:none", HOST))
    check.refuses(name, INTERNAL, "failed to execute script", process[name]("app:chunk", HOST))
    check.refuses(name, NOT_FOUND, 'method "main" not found in module', process[name]("app:nomethod", HOST))
    check.refuses(name .. " builder", NOT_FOUND, "factory not found", process.with_context({})[name](process.with_context({}), "app:none", HOST))
  end
  check.raises("types", "string expected", process.spawn, {}, HOST)

  -- Arguments and results.
  local events = process.events()
  local function result(...)
    local pid = assert(process.spawn_monitored(...))
    local e = events:receive()
    check.same("from", e.from, pid)
    check.same("kind", e.kind, process.event.EXIT)
    check.same("at", math.type(e.at), "integer")
    return e.result.value, e.result.error
  end
  check.same("argument count", (result("app:one", HOST, 1, nil, 3)), 3)
  check.same("first value", (result("app:give", HOST, "a", 5)), "a")
  check.same("false is no error", (result("app:give", HOST, "a", false)), "a")
  local _, err = result("app:give", HOST, nil, "words")
  check.same("text", err:kind() .. err:message() .. tostring(err:retryable()), "Internalwordsfalse")
  _, err = result("app:give", HOST, nil, errors.new({ message = "m", kind = "Odd", retryable = true }))
  check.same("object", err:kind() .. err:message() .. tostring(err:retryable()), "Oddmtrue")
  _, err = result("app:crash", HOST, "x")
  check.same("raised", err:kind() .. err:message() .. tostring(err:retryable()), "Internalapp:crash:1: xnil")

  -- exec
  check.same("exec", (process.exec("app:give", HOST, "v")), "v")
  _, err = process.exec("app:give", HOST, nil, errors.new({ message = "m", kind = "Odd", retryable = true }))
  check.same("exec error", err:kind() .. err:message() .. tostring(err:retryable()), "Oddmtrue")
  check.refuses("exec", INVALID, "exec requires id and host arguments", process.exec("app:give"))
  check.refuses("exec", INVALID, "process ID required", process.exec("", HOST))
  check.refuses("exec", INVALID, "invalid process ID format (namespace:name required)", process.exec("give", HOST))
  check.refuses("exec", INVALID, "host ID required", process.exec("app:give", ""))
  check.refuses("exec", INTERNAL, "factory not found", process.exec("app:none", HOST))

  -- The builder is immutable and merges.
  local one = process.with_context({ a = 1 })
  local two = one:with_context({ b = 2 }):with_options({ x = 1 })
  local function context_of(s)
    assert(s:spawn_monitored("app:show_context", HOST))
    local v = events:receive().result.value
    return tostring(v.a) .. tostring(v.b)
  end
  check.same("one", context_of(one), "1nil")
  check.same("two", context_of(two), "12")
  check.raises("keys", "context keys must be strings", process.with_context, { 1 })
  check.raises("keys", "option names must be strings", process.with_options, { 1 })
  check.raises("actor", "actor expected", one.with_actor, one, nil)
  check.raises("scope", "scope expected", one.with_scope, one, 3)
  check.raises("name", "a name has 1 to", one.with_name, one, "")
  check.raises("topic", "cannot send to @ topics", one.with_message, one, "@x")
  local _, lost = process.with_options({ network = "app:none" }):spawn("app:give", HOST)
  check.same("network", lost:kind() .. lost:message(), "network: service not found")

  -- A name and first messages: one process, whoever comes later speaks to it.
  -- What builders have in common stays as it was; a long chain arrives in order.
  local long = one
  for i = 1, 5000 do long = long:with_message("n", i) end
  local short = long:with_message("n", "another end")
  long = long:with_message("n", 5001)
  for words, builder in pairs({ ["in order"] = long, ["5001: another end"] = short }) do
    assert(builder:spawn_monitored("app:in_order", HOST, 5001))
    check.same("first messages", events:receive().result.value, words)
  end

  local named = one:with_name("single"):with_message("hello", 1)
  local first = assert(named:spawn("app:keeper", HOST, process.pid()))
  check.same("found", (named:with_message("more", 2):spawn("app:keeper", HOST, "ignored")), first)
  process.send(first, "last", 3)
  local inbox = process.inbox()
  local got = {}
  for i = 1, 4 do
    local m = inbox:receive()
    got[i] = m:payload()[1]:data() .. m:payload()[2]:data()
  end
  check.same("messages", table.concat(got, " "), "hello hello more last" .. first)
  process.terminate(first)

  -- Functions have all of it.
  check.same("pid in a function", string.sub((funcs.call("app:me")), 1, 1), "{")
  return check.done()
end

return { main = main }
