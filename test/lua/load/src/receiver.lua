-- Takes what `senders` processes send, `amount` messages each, and tells the parent what was wrong with their order: nothing.
local function main(parent, senders, amount)
  local inbox = process.inbox()
  local last, wrong = {}, ""
  for _ = 1, senders * amount do
    local m = inbox:receive()
    local data = m:payload():data()
    local before = last[data.from] or 0
    if data.from ~= m:from() then wrong = "a sender took another's name" end
    if data.number ~= before + 1 then
      wrong = string.format("%d after %d", data.number, before)
    end
    if m:topic() ~= (data.number % 2 == 0 and "even" or "odd") then wrong = "a topic of another message" end
    last[data.from] = data.number
  end
  local n = 0
  for _ in pairs(last) do n = n + 1 end
  if wrong == "" and n ~= senders then wrong = string.format("%d senders", n) end
  process.send(parent, "received", wrong)
  -- Anything more would be a message too many.
  process.send(parent, "extra", inbox:receive():topic())
end

return { main = main }
