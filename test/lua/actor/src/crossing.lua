-- Links that both sides make and break at once: in the end both agree.
local check = require("check")

local HOST = "app:processes"
local PAIRS = 20

-- One worker each, if there are two: the second is made while the first still computes.
local function main(pairs_wanted)
  process.set_options({ trap_links = true })
  local sides, inbox, events = {}, process.listen("pid"), process.events()
  for i = 1, 2 do sides[i] = assert(process.spawn("app:crossing_side", HOST, process.pid())) end
  local disagree, pairs_made = 0, 0
  for n = 1, tonumber(pairs_wanted) or PAIRS do
    for i = 1, 2 do process.send(sides[i], "make") end
    local a, b = inbox:receive(), inbox:receive()
    local first, second = a, b
    -- Who is told first changes, and so does who says at last that both are linked.
    if n % 2 == 0 then first, second = b, a end
    process.monitor(a)
    process.monitor(b)
    process.send(first, "go", second, n % 4 < 2)
    process.send(second, "go", first, n % 4 >= 2)
    local seen = 0
    for _ = 1, 2 do
      local e = events:receive()
      if e.result.value == "told" then seen = seen + 1 end
    end
    pairs_made = pairs_made + 1
    if seen ~= 1 then
      disagree = disagree + 1
      break
    end
  end
  for i = 1, 2 do process.terminate(sides[i]) end
  check.same("pairs that disagree", disagree, 0)
  check.same("pairs", pairs_made > 0, true)
  return check.done()
end

return { main = main }
