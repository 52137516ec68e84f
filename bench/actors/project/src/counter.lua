-- Counts messages and says so when `amount` have arrived.
local function main(parent, amount)
  local inbox = process.inbox()
  for _ = 1, amount do inbox:receive() end
  process.send(parent, "counted")
end

return { main = main }
