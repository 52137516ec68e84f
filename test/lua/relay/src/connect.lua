-- Spawns ?process= (or takes the process named ?named=) and answers with the relay's header: ?header= with %PID% in place of the target's pid.
local http = require("http")
local json = require("json")
local time = require("time")

local function run()
    local req, res = http.request(), http.response()
    local name, header = req:query("name") or "target", req:query("header") or '{"target_pid":"%PID%"}'
    local pid = process.registry.lookup(name)

    if not pid and req:query("process") then
        pid = assert(process.spawn("app:" .. req:query("process"), "app:" .. (req:query("host") or "processes"), name))
        -- The next one is to find it.
        for _ = 1, 1000 do
            if process.registry.lookup(name) then
                break
            end
            time.sleep("2ms")
        end
    end
    if req:query("status") then
        res:set_status(tonumber(req:query("status")))
    end
    if req:query("body") then
        res:write(req:query("body"))
    end
    if req:query("type") then
        res:set_header("Content-Type", req:query("type"))
    end
    local last = req:header("Last-Event-Id")
    if last then
        header = json.encode({ target_pid = tostring(pid), metadata = { last = last } })
    end
    res:set_header(req:query("as") or "X-WS-Relay", (header:gsub("%%PID%%", function() return tostring(pid) end)))
    if req:query("late") then
        res:set_status(tonumber(req:query("late")))
    end
    if req:query("error") then
        error("the handler failed")
    end
end

return { run = run }
