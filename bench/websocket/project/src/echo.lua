local function main()
  local inbox = process.inbox()
  while true do
    local m = inbox:receive()
    local topic = m:topic()
    if topic == "ws.message" then
      process.send(m:from(), "echo", m:payload():data())
    elseif topic == "ws.leave" then
      return
    end
  end
end

return { main = main }
