local ctx = require("ctx")
local funcs = require("funcs")
local check = require("check")

local function main()
  check.same("nothing", next(ctx.all()), nil)
  check.refuses("empty", "Invalid", "empty key", ctx.get(""))
  check.refuses("absent", "NotFound", "key not found: x", ctx.get("x"))
  local given = { s = "t", b = true, i = 3, f = 2.5, list = { 1, 2, k = "dropped" }, map = { a = { 1 } }, fn = print }
  local got = funcs.new():with_context(given):call("app:values")
  check.same("plain", got.s .. tostring(got.b) .. got.i .. got.f, "ttrue32.5")
  check.same("list", #got.list, 2)
  check.same("list", got.list.k, nil)
  check.same("map", got.map.a[1], 1)
  check.same("function", string.match(got.fn, "^function") , "function")
  -- A snapshot: what the callee does to its copy stays there.
  given.s = "changed"
  check.same("snapshot", got.s, "t")
  assert(process.with_context({ p = 1 }):spawn_monitored("app:show_context", "app:processes"))
  check.same("processes too", process.events():receive().result.value.p, 1)
  return check.done()
end

return { main = main }
