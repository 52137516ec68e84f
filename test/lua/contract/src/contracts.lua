local contract = require("contract")
local funcs = require("funcs")
local time = require("time")
local check = require("check")

local function main()
  -- Looking.
  local c = assert(contract.get("app:greeter"))
  check.same("id", c:id(), "app:greeter")
  check.same("methods", #c:methods(), 7)
  local m = c:methods()[1]
  check.same("method table", m.name .. m.description .. m.input_schemas[1].format .. m.output_schemas[1].definition.type,
    "greetsays helloapplication/schema+jsonstring")
  m = assert(c:method("fail"))
  check.same("plain method", m.name .. "/" .. m.description .. tostring(m.input_schemas), "fail/nil")
  check.refuses("no method", "NotFound", "method 'none' not found in contract 'app:greeter'", c:method("none"))
  check.refuses("no contract", "NotFound", "contract definition 'app:none' not found", contract.get("app:none"))
  check.refuses("another kind", "NotFound", "contract definition 'app:greet' not found", contract.get("app:greet"))
  check.same("no methods", #assert(contract.get("app:empty")):methods(), 0)
  check.raises("type", "string expected", contract.get)
  check.same("implementations", table.concat(assert(c:implementations()), " "), "app:broken app:polite app:strict")
  check.same("find", table.concat(assert(contract.find_implementations("app:counter")), " "), "app:polite")
  check.same("none", #assert(contract.find_implementations("app:lonely")), 0)
  check.refuses("of none", "NotFound", "contract definition 'app:none' not found", contract.find_implementations("app:none"))

  -- Opening.
  local i = assert(contract.open("app:polite"))
  check.same("is", contract.is(i, "app:greeter"), true)
  check.same("is, too", contract.is(i, "app:counter"), true)
  check.same("is not", contract.is(i, "app:empty"), false)
  check.same("no instance", contract.is({}, "app:greeter"), false)
  check.same("no instance", contract.is(nil, "app:greeter"), false)
  check.refuses("no binding", "NotFound", "contract binding 'app:none' not found", contract.open("app:none"))
  check.refuses("not a binding", "NotFound", "contract binding 'app:greeter' not found", contract.open("app:greeter"))
  check.refuses("empty", "Invalid", "binding ID required", contract.open(""))
  check.refuses("only a query", "Invalid", "binding ID required", contract.open("?a=1"))
  check.raises("scope", "table expected", contract.open, "app:polite", 3)
  check.raises("options", "table expected", contract.open, "app:polite", nil, 3)
  check.same("default", contract.is(assert(c:open()), "app:greeter"), true)
  check.same("named", (assert(c:open("app:polite")):greet("you")), "you you")
  check.refuses("no default", "NotFound", "no default binding for contract 'app:lonely'", assert(contract.get("app:lonely")):open())
  check.refuses("of another", "Invalid", "binding 'app:strict' does not implement contract 'app:counter'", assert(contract.get("app:counter")):open("app:strict"))

  -- Calling.
  check.same("call", (i:greet("hello")), "you hello")
  check.same("arguments", (i:count(1, nil, 3)), 3)
  local v, err = i:fail()
  check.same("failure", tostring(v) .. err:kind() .. err:message() .. tostring(err:retryable()), "nilNotFoundgonetrue")
  check.same("unknown", i.nothing, nil)
  check.same("unknown", i[3], nil)
  check.raises("unknown", "attempt to call a nil value", function() i:nothing() end)
  check.refuses("unbound", "NotFound", "method 'unbound' not bound", i:unbound())
  check.refuses("unbound", "NotFound", "method 'unbound' not bound", i:unbound_async())
  check.refuses("no function", "NotFound", "no handler registered for target", assert(contract.open("app:broken")):greet("x"))
  check.raises("self", "contract.Instance expected", function() i.greet({}, "x") end)
  check.same("a process", string.sub((i:on()), 1, 1), "{")
  local f = assert(i:slow_async("late"))
  check.same("pending", f:is_complete(), false)
  check.same("async", f:response():receive():data(), "late")
  f = assert(i:fail_async())
  check.same("async failure", tostring(f:response():receive()), "gone")
  -- The same method value from several coroutines at once.
  local slow, got = i.slow, {}
  for n = 1, 5 do coroutine.spawn(function() got[n] = slow(i, n) end) end
  time.sleep("200ms")
  check.same("shared method", table.concat(got, ","), "1,2,3,4,5")

  -- Context: the caller's < query < with_context < scope table.
  local q = assert(contract.open("app:polite?s=a%20b+c&t=true&f=false&n=12&x=2.5&e=&k&v=1.2.3")):context()
  check.same("texts", q.s .. "/" .. q.e .. "/" .. q.k .. "/" .. q.v, "a b c///1.2.3")
  check.same("booleans", tostring(q.t) .. tostring(q.f), "truefalse")
  check.same("numbers", q.n + q.x, 14.5)
  local d = c:with_context({ a = "with", b = "with" })
  local all = assert(d:open("app:polite?a=query&b=query&c=query", { a = "scope" })):context()
  check.same("precedence", all.a .. all.b .. all.c, "scopewithquery")
  check.same("immutable", assert(c:open("app:polite")):context().a, nil)
  all = d:with_context({ b = "later" }):open():context()
  check.same("merged", all.a .. all.b, "withlater")
  all = assert(c:open(nil, { a = "scope of the default" })):context()
  check.same("nil binding", all.a, "scope of the default")
  check.same("caller's", (funcs.new():with_context({ z = "caller" }):call("app:in_context", "app:polite")).z, "caller")
  check.same("over the caller's", (funcs.new():with_context({ z = "caller" }):call("app:in_context", "app:polite?z=mine")).z, "mine")
  check.same("as name", (assert(contract.open("app:polite", { name = "Eva" })):greet("hi")), "Eva hi")

  -- What is required.
  local s = assert(contract.open("app:strict"))
  check.refuses("missing", "Invalid", "missing required context keys: [language, tenant]", s:greet("x"))
  check.refuses("one missing", "Invalid", "missing required context keys: [tenant]", assert(contract.open("app:strict?language=de")):greet("x"))
  check.refuses("missing, async", "Invalid", "missing required context keys: [language, tenant]", s:greet_async("x"))
  check.same("given", (assert(contract.open("app:strict?language=de", { tenant = "t" })):greet("x")), "you x")
  check.same("from the caller", (funcs.new():with_context({ language = "de", tenant = 1 }):call("app:in_context", "app:strict")).tenant, 1)

  -- Options are the call's: retry, network.
  local r = assert(contract.open("app:polite", nil, { retry = { max_attempts = 5, initial_delay = 1 } }))
  check.same("retry", (r:flaky()), 3)
  local lost = select(2, assert(contract.open("app:polite", nil, { network = "app:none" })):greet("x"))
  check.same("network", lost:message(), "network: service not found")
  lost = select(2, c:with_options({ network = "app:none" }):open():greet("x"))
  check.same("network of the contract", lost:message(), "network: service not found")

  check.raises("actor", "actor expected", c.with_actor, c, nil)
  check.raises("scope", "scope expected", c.with_scope, c, 3)
  check.raises("context", "table expected", c.with_context, c, 3)
  check.raises("options", "table expected", c.with_options, c, 3)
  return check.done()
end

return { main = main }
