-- The command is asked to end, like every process; its own result does not count any more.
local io = require("io")
local system = require("system")

local function main()
    local events = process.events()
    io.print(tostring(system.exit(7)))
    local event = events:receive()
    io.print(event.kind)
    return 3
end

return { main = main }
