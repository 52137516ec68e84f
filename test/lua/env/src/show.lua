-- What this process may see: value or error of each call, and how many names get_all() gives.
local env = require("env")
local io = require("io")

local function main()
    local value, err = env.get("COUNTER")
    io.print(tostring(value), err and err:kind(), err and err:message())
    local ok, why = env.set("COUNTER", "x")
    io.print(tostring(ok), why and why:kind(), why and why:message())
    local n = 0
    for _ in pairs(env.get_all()) do
        n = n + 1
    end
    io.print(n)
    return 0
end

return { main = main }
