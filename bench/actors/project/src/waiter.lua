-- Answers every message with one of the same topic; costs what an idle process costs.
local function main()
  local inbox = process.inbox()
  while true do
    local m = inbox:receive()
    process.send(m:from(), m:topic())
  end
end

return { main = main }
