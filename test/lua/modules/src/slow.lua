local crypto = require("crypto")

local function main()
    crypto.pbkdf2("password", "salt", 2000000, 32)
    return "finished"
end

return { main = main }
