local check = require("check")
local funcs = require("funcs")

local function main()
    check.equal("in a function", (funcs.call("app:asks_io")), "ok")
    return check.over()
end

return { main = main }
