-- A chunk cannot wait: what would take seconds raises instead.
local io = require("io")
local crypto = require("crypto")
local ok, why = pcall(crypto.pbkdf2, "p", "s", 10000000, 32)

local function main()
    io.print(tostring(ok) .. " " .. tostring(type(why)))
    return 0
end

return { main = main }
