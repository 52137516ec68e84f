-- While a timer runs, a process that waits for it is not stuck; when it has fired, one that waits for nothing is.
local io = require("io")
local time = require("time")

local function main()
  local ch = time.after("100ms")
  io.print("waiting")
  ch:receive()
  io.print("fired")
  channel.select({})
  return 0
end

return { main = main }
