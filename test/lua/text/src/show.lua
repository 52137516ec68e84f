local io = require("io")
local templates = require("templates")

local function main()
    local set, err = templates.get("app:pages")
    io.print(tostring(set) .. "\t" .. err:kind() .. "\t" .. err:message())
    return 0
end

return { main = main }
