-- A callback without an end keeps its worker to itself: after five seconds it is ended, and the others go on.
local time = require("time")
local check = require("check")

local function main()
  local events = process.events()
  local start = time.now()
  local pid = assert(process.spawn_monitored("app:sorter", "app:processes"))
  local e = events:receive()
  check.same("who", e.from, pid)
  check.same("kind", e.result.error:kind(), "Timeout")
  check.same("words", string.find(e.result.error:message(), "a callback of a library function ran longer than 5s", 1, true), 1)
  check.between("after five seconds", time.now():sub(start):milliseconds(), 4900, 20000)
  return check.done()
end

return { main = main }
