-- Entries that change while processes run: limits of a host, a library that goes and comes back, a contract.
local registry = require("registry")
local contract = require("contract")
local funcs = require("funcs")
local time = require("time")
local check = require("check")

local function apply(op, id, kind, data)
  local c = registry.snapshot():changes()
  if op == "delete" then c:delete(id) else c[op](c, { id = id, kind = kind, data = data }) end
  return c:apply()
end

local function fine(what, ...)
  local _, err = apply(...)
  check.same(what, err and err:message(), nil)
end

local function main()
  local events = process.events()
  local up = { lifecycle = { auto_start = true } }
  fine("a host", "create", "app:changing_host", "process.host", up)
  local pid
  for _ = 1, 200 do
    pid = process.spawn_monitored("app:polite", "app:changing_host")
    if pid then break end
    time.sleep("5ms")
  end
  check.same("runs", type(pid), "string")
  -- In place: the process goes on, the new limit counts.
  fine("a limit", "update", "app:changing_host", "process.host", { lifecycle = { auto_start = true }, host = { max_processes = 1, workers = 1, cancel_deadline = "30ms" } })
  local _, err = process.spawn("app:deaf", "app:changing_host")
  check.same("full", err and err:kind(), "RateLimited")
  fine("no limit", "update", "app:changing_host", "process.host", { lifecycle = { auto_start = true }, host = { max_processes = 2, cancel_deadline = "30ms" } })
  local other = assert(process.spawn_monitored("app:deaf", "app:changing_host"))
  process.cancel(other)
  check.same("new deadline", events:receive().result.error:kind(), "Timeout")
  _, err = apply("update", "app:changing_host", "process.host", { lifecycle = { auto_start = true, stop_timeout = "1s" } })
  check.same("its lifecycle stays", err ~= nil, true)
  _, err = apply("update", "app:changing_host", "process.host", { lifecycle = { auto_start = true }, host = { queue_size = 7 } })
  check.same("queues stay", err ~= nil, true)
  check.same("still there", process.cancel(pid, "go", 0), true)
  check.same("all the time", events:receive().result.value, "pid.cancel go")
  fine("gone", "delete", "app:changing_host")
  _, err = process.spawn("app:give", "app:changing_host")
  check.same("no such host", err and err:kind(), "NotFound")

  -- A library that goes takes with it what imports it, until it is back.
  check.same("with the library", (funcs.call("app:imports_words")), "one")
  fine("without", "delete", "app:words")
  check.refuses("cannot run", "NotFound", "no handler registered for target", funcs.call("app:imports_words"))
  fine("back", "create", "app:words", "library.lua", { source = "return { word = 'two' }" })
  check.same("works again", (funcs.call("app:imports_words")), "two")

  -- Contracts are read when they are opened.
  fine("a contract", "create", "app:c", "contract.definition", { methods = { { name = "word" } } })
  fine("a binding", "create", "app:b", "contract.binding", { contracts = { { contract = "app:c", methods = { word = "app:imports_words" } } } })
  local i = assert(contract.open("app:b"))
  check.same("call", (i:word()), "two")
  _, err = apply("update", "app:b", "contract.binding", { contracts = {} })
  check.same("a bad one is refused", err ~= nil, true)
  fine("another function", "update", "app:b", "contract.binding", { contracts = { { contract = "app:c", methods = { word = "app:number" }, default = true } } })
  check.same("opened before", (i:word()), "two")
  check.same("opened now", (assert(assert(contract.get("app:c")):open()):word()), 7)
  fine("no binding", "delete", "app:b")
  check.refuses("gone", "NotFound", "contract binding 'app:b' not found", contract.open("app:b"))
  return check.done()
end

return { main = main }
