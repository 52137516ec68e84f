-- Events without a relay: ids and the time to wait before coming back are the handler's to write.
local http = require("http")

local function run()
    local req, res = http.request(), http.response()
    local from = tonumber(req:header("Last-Event-Id") or "0")

    res:set_transfer("sse")
    res:write("retry: 50\n\n")
    for i = from + 1, from + 3 do
        res:write("id: " .. i .. "\n")
        res:write_event({ name = "tick", data = { n = i } })
    end
end

return { run = run }
