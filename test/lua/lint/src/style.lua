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

return { main = main }
