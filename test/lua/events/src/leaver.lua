local events = require("events")

-- Ends with subscriptions open and events waiting.
local function main(parent: string, how: string)
    local sub = events.subscribe("ends")
    local dropped = events.subscribe("*")
    process.send(parent, "ready")
    sub:channel():receive()
    if how == "raise" then error("told to") end
    return "done"
end

return { main = main }
