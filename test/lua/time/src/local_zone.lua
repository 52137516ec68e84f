local io = require("io")
local time = require("time")

local function main()
  io.print(time.localtz, time.unix(1720000000, 0), time.unix(1700000000, 0))
  io.print(time.date(2024, 7, 3, 9, 46, 40, 0):unix())
  return 0
end

return { main = main }
