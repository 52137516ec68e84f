local events = require("events")

-- Tell when ready, wait for the start, then send `count` events under one's own kind.
local function main(parent: string, name: string, count: number)
    local start = process.listen("start")
    process.send(parent, "ready", name)
    start:receive()
    for i = 1, count do
        assert(events.send("load", name, tostring(i), { i = i, name = name }))
    end
    return count
end

return { main = main }
