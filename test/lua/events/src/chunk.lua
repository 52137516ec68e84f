local events = require("events")

-- While the chunk runs there is no process yet.
local sub, subscribe_error = events.subscribe("s")
local ok, send_error = events.send("s", "k", "p")

local function main()
    return tostring(sub) .. "/" .. subscribe_error:kind() .. "/" .. subscribe_error:message()
        .. "/" .. tostring(ok) .. "/" .. send_error:kind() .. "/" .. send_error:message()
end

return { main = main }
