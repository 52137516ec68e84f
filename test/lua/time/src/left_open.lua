-- Ends with everything still running: the program must end at once.
local io = require("io")
local time = require("time")

local function main()
  local timers = {}
  for i = 1, 100 do
    timers[i] = { time.timer("1h"), time.ticker("1h"), time.after("1h"), time.ticker("1ms") }
    coroutine.spawn(function() time.sleep("1h") end)
    coroutine.spawn(function() timers[i][1]:channel():receive() end)
  end
  time.sleep("20ms")
  io.print("left")
  return 0
end

return { main = main }
