local io = require("io")
local time = require("time")

local HOST = "app:processes"

-- Misbehave, rest, say so, and wait to be looked at.
local function main()
  local events = process.events()
  io.print("before")
  io.readline()
  for _, entry in ipairs({ "app:hog", "app:hog_small" }) do
    process.spawn_monitored(entry, HOST)
    local e = events:receive()
    assert(string.find(tostring(e.result.error), "memory limit of", 1, true), tostring(e.result.error))
  end
  local pids = {}
  for i = 1, 10000 do pids[i] = assert(process.spawn_monitored("app:crash_on", HOST)) end
  for i = 1, 10000 do process.send(pids[i], "now") end
  for _ = 1, 10000 do events:receive() end
  pids = nil
  io.print("crashed")
  time.sleep("2s")
  io.print("after")
  io.readline()
  return 0
end

return { main = main }
