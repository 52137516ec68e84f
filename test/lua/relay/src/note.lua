local http = require("http")
local store = require("store")

local function run()
    local req, res = http.request(), http.response()
    local notes = assert(store.get("app:notes"))

    res:write(notes:get(req:param("key")) or "[]")
end

return { run = run }
