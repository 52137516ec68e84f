-- Waits for whatever comes, and ends when told to.
local process = require("process")

local function main()
    local events = process.events()
    while true do
        local e = events:receive()
        if e.kind == process.event.CANCEL then return end
    end
end

return { main = main }
