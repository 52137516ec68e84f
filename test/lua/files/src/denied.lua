local fs = require("fs")
local io = require("io")

local function main()
    local vol, e = fs.get("app:data")
    io.print(tostring(vol), e:kind(), e:message())
    return 0
end

return { main = main }
