local check = require("check")

local HOST = "app:processes"

-- n senders x m receivers: per sender everything arrives once and in order, whichever workers they are on.
local function main(senders, receivers, amount)
  senders, receivers, amount = tonumber(senders), tonumber(receivers), tonumber(amount)
  local inbox, events = process.inbox(), process.events()
  local pids = {}
  for i = 1, receivers do
    pids[i] = assert(process.spawn("app:receiver", HOST, process.pid(), senders, amount))
  end
  for _ = 1, senders do assert(process.spawn_monitored("app:sender", HOST, pids, amount)) end
  for _ = 1, senders do
    local e = events:receive()
    check.same("a sender ended well", tostring(e.result.error), "nil")
  end
  for _ = 1, receivers do
    local m = inbox:receive()
    check.same("received", m:topic(), "received")
    check.same("order", m:payload():data(), "")
  end
  -- All is there; what a receiver gets now is the only thing that is left.
  for _, pid in ipairs(pids) do assert(process.send(pid, "end")) end
  for _ = 1, receivers do check.same("the last message", inbox:receive():payload():data(), "end") end
  return check.done()
end

return { main = main }
