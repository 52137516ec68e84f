local events = require("events")

local kept

-- The object of an earlier call is over, though the instance lives on.
local function main(what: string)
    if kept and what == "again" then
        return tostring(kept:close()) .. " " .. tostring(kept:channel() ~= nil)
    end
    kept = events.subscribe("ends")
    events.send("ends", "from a call", "p")
    return kept:channel():receive().kind
end

return { main = main }
