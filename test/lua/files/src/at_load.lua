local fs = require("fs")
local io = require("io")

-- While a chunk is loaded nothing can wait; reading is possible all the same.
local vol = fs.get("app:data")
local text = vol:readfile("greeting")
local f = vol:open("greeting", "r")
local first = f:read(3)
local ok = pcall(vol.writefile, vol, "greeting", "changed")

local function main()
    io.print(text, first, tostring(ok), (vol:readfile("greeting")), (f:read()))
    return 0
end

return { main = main }
