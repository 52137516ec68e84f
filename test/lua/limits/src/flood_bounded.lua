-- Two processes flood a slow one; the program says when to look at its memory.
local io = require("io")
local time = require("time")

return { main = function()
  local slow = assert(process.spawn("app:slow_reader", "app:narrow"))
  io.print("before")
  io.flush()
  io.readline()
  for _ = 1, 2 do assert(process.spawn("app:flooder", "app:processes", slow)) end
  time.sleep("600ms")
  io.print("after")
  io.flush()
  io.readline()
  return 0
end }
