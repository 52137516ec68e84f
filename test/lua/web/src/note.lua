-- What a handler left under a name.
local http = require("http")
local store = require("store")

local function run()
    local req, res = http.request(), http.response()
    res:set_content_type(http.CONTENT.JSON)
    res:write_json({ value = store.get("app:notes"):get(req:param("key")) })
end

return { run = run }
