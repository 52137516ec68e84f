local http = require("http")
local store = require("store")

local function main()
    local _, err = http.request()
    store.get("app:notes"):set("spawned", { kind = err:kind(), message = err:message() })
end

return { main = main }
