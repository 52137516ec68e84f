-- Answers each message with its topic and payload; ends on "stop".
local function main()
  local inbox = process.inbox()
  while true do
    local m = inbox:receive()
    local p = m:payload()
    process.send(m:from(), m:topic(), p and p:data())
    if m:topic() == "stop" then return "stopped" end
  end
end

return { main = main }
