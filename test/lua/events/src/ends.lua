-- Subscriptions end with their process or call.
local events = require("events")
local check = require("check")
local funcs = require("funcs")

local function main()
    local ready, ends = process.listen("ready"), process.events()
    local me = process.pid()
    for round = 1, 20 do
        for _, how in ipairs({ "return", "raise" }) do
            assert(process.spawn_monitored("app:leaver", "app:processes", me, how))
            ready:receive()
        end
        for i = 1, 5 do events.send("ends", "k", "p" .. i) end
        ends:receive()
        ends:receive()
    end
    local pid = assert(process.spawn_monitored("app:leaver", "app:processes", me, "never"))
    ready:receive()
    process.terminate(pid)
    ends:receive()
    check.equal("after them", (events.send("ends", "k", "p")), true)

    check.equal("in a call", (funcs.call("app:keeps", "first")), "from a call")
    check.equal("in the next call", (funcs.call("app:keeps", "second")), "from a call")
    local r, err = funcs.call("app:keeps", "again")
    check.equal("an object of an earlier call", r, "true true")
    check.equal("an object of an earlier call: error", err, nil)
    r = funcs.call("app:chunk")
    check.equal("at chunk level", r, "nil/Internal/no process PID/nil/Internal/no context")
    return check.over()
end

return { main = main }
