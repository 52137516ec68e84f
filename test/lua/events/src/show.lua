-- What a policy lets through.
local events = require("events")
local io = require("io")

local function main()
    local sub, err = events.subscribe("ord*", "x")
    io.print(tostring(sub), err:kind(), err:message())
    local ok, why = events.send("orders", "k", "p")
    io.print(tostring(ok), why:kind(), why:message())
    return 0
end

return { main = main }
