-- A process that replaces its code stays in its groups; its end, or an upgrade that fails, takes it out.
local pg = require("pg")
local check = require("check")

local function main()
  local g = assert(pg.open("app:scope"))
  local ready, events = process.listen("ready"), process.events()
  local pid = assert(process.spawn_monitored("app:before", "app:processes", process.pid(), "app:after"))
  ready:receive()
  local sub, members = g:monitor("kept")
  check.equal("joined twice", #members, 2)
  process.send(pid, "go")
  check.equal("may leave what the old code joined", ready:receive(), true)
  check.equal("nothing was heard of it", channel.select({ sub:channel():case_receive(), default = true }).default, true)
  members = g:get_members("kept")
  check.equal("still in it", members[1] == pid and members[2] == pid and #members, 2)
  check.equal("broadcast", g:broadcast("kept", "hello"), true)
  ready:receive()
  process.cancel(pid)
  events:receive()
  local left = sub:channel():receive()
  check.equal("left at its end", left.kind .. #left.data.PIDs, "member.left2")
  check.equal("empty", #g:get_members("kept"), 0)

  pid = assert(process.spawn_monitored("app:before", "app:processes", process.pid(), "app:none"))
  ready:receive()
  process.send(pid, "go")
  events:receive()
  for _ = 1, 3 do left = sub:channel():receive() end
  check.equal("left when it failed", left.kind .. #left.data.PIDs, "member.left2")
  return check.over()
end

return { main = main }
