-- mint STORE: print a token.
local io = require("io")
local security = require("security")

local function main(store)
    io.print(security.token_store(store):create(security.new_actor("u"), security.new_scope()))
    return 0
end

return { main = main }
