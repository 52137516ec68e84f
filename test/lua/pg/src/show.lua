-- What a policy lets through.
local io = require("io")
local pg = require("pg")

local function main()
    local g, err = pg.open("app:scope")
    io.print(tostring(g), err:kind(), err:message())
    return 0
end

return { main = main }
