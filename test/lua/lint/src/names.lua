local time = require("time")
local shapes = require("shapes")
local text = string

local function main()
  time.slep("1s")
  tiem.sleep("1s")
  print(process.event.EXITS, text.formt("x"))
  string.trim = function(s) return s end
  json.encode({})
  return shapes.sqare(1), math.pi, time.sleep
end

return { main = main }
