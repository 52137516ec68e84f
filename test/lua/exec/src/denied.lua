local exec = require("exec")
local io = require("io")

local function main()
    local x, e = exec.get("app:any")
    io.print(tostring(x), e:kind(), e:message())
    return 0
end

return { main = main }
