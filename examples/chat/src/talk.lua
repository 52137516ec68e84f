local function join(nick)
  local client = assert(websocket.connect("ws://127.0.0.1:18241/chat/join?nick=" .. nick))
  local messages = client:channel()
  return client, function()
    io.print(nick, json.decode(messages:receive().data).data)
  end
end

local function main()
  local bob, bob_hears = join("bob")
  bob:send("is anybody here?")
  bob_hears()
  local ann, ann_hears = join("ann")
  bob_hears()
  ann:send("hello, bob")
  bob_hears()
  ann_hears()
  bob:send("hello, ann")
  bob_hears()
  ann_hears()
  ann:close()
  bob_hears()
  return 0
end

return { main = main }
