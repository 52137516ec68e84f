local check = require("check")

local HOST = "app:processes"

local function main()
  local registry, me = process.registry, process.pid()
  check.same("scopes", registry.LOCAL .. registry.EVENTUAL .. registry.CONSISTENT .. registry.STRONG, "0123")
  check.same("register", registry.register("a"), true)
  check.same("again", registry.register("a"), true)
  check.same("a second name", registry.register("b", me), true)
  check.same("lookup", registry.lookup("a") .. registry.lookup("b"), me .. me)
  check.refuses("lookup", "NotFound", "name not registered", registry.lookup("none"))
  local pid = assert(process.spawn_monitored("app:forever", HOST))
  check.refuses("taken", "AlreadyExists", "name already registered", registry.register("a", pid))
  check.same("for another", registry.register("c", pid), true)
  check.same("for another", registry.lookup("c"), pid)
  check.refuses("type", "Invalid", "pid must be a string", registry.register("d", 3))
  check.refuses("text", "Invalid", "invalid pid format: missing braces", registry.register("d", "x"))
  check.refuses("text", "Invalid", "invalid pid format: missing pipe", registry.register("d", "{x}"))
  check.refuses("gone", "NotFound", "process not found", registry.register("d", "{app:processes|0xfffff}"))
  check.refuses("eventual", "Internal", "eventual registry not available", registry.register("d", nil, registry.EVENTUAL))
  check.refuses("strong", "Internal", "global registry not available", registry.register("d", nil, registry.STRONG))
  check.same("unregister", registry.unregister("b"), true)
  check.same("unregister", registry.unregister("b"), false)
  check.same("by name", process.send("c", "x"), true)
  local e = process.events():receive()
  check.same("ended", e.from, pid)
  check.refuses("released before EXIT", "NotFound", "name not registered", registry.lookup("c"))
  check.raises("name", "string expected", registry.register)
  return check.done()
end

return { main = main }
