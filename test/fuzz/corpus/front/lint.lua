local json = require("json")
local shapes = require("shapes")

function shared()
  return shapes.unit
end

local function helper(first, second)
  if first == first then
  end
  local shapes = first
  return shapes
end

local function main(input, options)
  local kept, lost = helper(input), 2
  return kept
end

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

