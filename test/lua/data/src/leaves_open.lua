-- A call that ends with its transaction active.
local sql = require("sql")

local function main()
    local tx = sql.get("app:main"):begin()
    tx:execute("INSERT INTO acct VALUES ('call', 5)")
    return "left"
end

return { main = main }
