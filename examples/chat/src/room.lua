-- Knows who is there, and tells everybody what one says.
local function main()
  local members = {}

  local function tell(text)
    for pid in pairs(members) do
      process.send(pid, "said", text)
    end
  end

  process.registry.register("room")
  local inbox, events = process.inbox(), process.events()
  while true do
    local got = channel.select({ inbox:case_receive(), events:case_receive() })
    if got.channel == events then
      return
    end
    local message = got.value
    local topic, data = message:topic(), message:payload():data()
    if topic == "ws.join" then
      tell(data.metadata.nick .. " came")
      members[data.client_pid] = data.metadata.nick
    elseif topic == "ws.leave" and members[data.client_pid] then
      members[data.client_pid] = nil
      tell(data.metadata.nick .. " left")
    elseif topic == "ws.message" then
      tell(members[message:from()] .. ": " .. data)
    end
  end
end

return { main = main }
