-- Whoever waits for a derivation can be killed meanwhile.
local time = require("time")
local check = require("check")

local function main()
    local pid, err = process.spawn_monitored("app:slow", "app:workers")
    check.equal("spawned", err, nil)
    time.sleep("50ms")
    local events = process.events()
    check.equal("terminated", (process.terminate(pid)), true)
    local event = events:receive()
    check.equal("it ended", event.kind, process.event.EXIT)
    check.yes("by force", event.result and event.result.error)
    return check.over()
end

return { main = main }
