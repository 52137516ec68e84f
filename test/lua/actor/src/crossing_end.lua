-- Thousands of times makes and breaks a link with a peer that does so, too; then one of the two makes sure of it, and the other one fails.
local function main()
  process.set_options({ trap_links = true })
  local go, inbox, events = process.listen("go"), process.inbox(), process.events()
  local told = go:receive()
  local peer, sure = told[1], told[2]
  for i = 1, 5000 do
    process.link(peer)
    if i % 3 ~= 0 then process.unlink(peer) end
  end
  if not sure then process.link(peer) end
  -- All that was said before has arrived, also the answers to it.
  for _ = 1, 2 do
    process.send(peer, "sync")
    inbox:receive()
  end
  if not sure then
    inbox:receive()
    error("the one that fails")
  end
  assert(process.link(peer))
  process.send(peer, "linked")
  local timeout = require("time").after("5s")
  local got = channel.select({ events:case_receive(), timeout:case_receive() })
  return got.channel == events and got.value.kind == process.event.LINK_DOWN and "told" or "not told"
end

return { main = main }
