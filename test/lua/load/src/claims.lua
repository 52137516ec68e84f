local check = require("check")

local HOST = "app:processes"
local MESSAGES, NAMES = 300, 20 -- of app:claimer

-- Several claim the same names at the same moment: each name gets one holder, who gets everybody's messages, first the initial ones.
local function main(rounds, claimers)
  rounds, claimers = tonumber(rounds), tonumber(claimers)
  local ready, totals, refused = process.listen("ready"), process.listen("total"), process.listen("refused")
  for round = 1, rounds do
    local pids = {}
    for i = 1, claimers do
      pids[i] = assert(process.spawn("app:claimer", HOST, process.pid(), "name " .. tostring(round), claimers, MESSAGES, NAMES))
      ready:receive()
    end
    for i = 1, claimers do assert(process.send(pids[i], "go")) end
    for _ = 1, NAMES do
      local r = channel.select({ totals:case_receive(), refused:case_receive() })
      check.same("messages to the holder", r.value, claimers * MESSAGES)
    end
  end
  return check.done()
end

return { main = main }
