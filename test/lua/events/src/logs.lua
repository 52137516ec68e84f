-- Log records as events, one line of JSON for each that this program's logger wrote.
local channel = require("channel")
local events = require("events")
local io = require("io")
local json = require("json")
local logger = require("logger")
local time = require("time")

local function main()
    local sub = events.subscribe("logs", "logs.*")
    local log = logger:named("mine")
    log:debug("not at this level")
    log:info("hello", { answer = 42, list = { 1, 2 } })
    log:named("deep"):error("trouble", { half = 0.5, yes = true })
    local seen = 0
    while seen < 2 do
        local r = channel.select{ sub:channel():case_receive(), time.after("300ms"):case_receive() }
        if r.channel ~= sub:channel() then break end
        local e = r.value
        if string.sub(e.path, 1, 4) == "mine" then
            seen = seen + 1
            io.print(json.encode({
                system = e.system, kind = e.kind, path = e.path, level = e.data.level, logger = e.data.logger,
                message = e.data.message, time = type(e.data.time), answer = e.data.fields.answer, list = e.data.fields.list,
                half = e.data.fields.half, yes = e.data.fields.yes, location = e.data.fields.location,
            }))
        end
    end
    io.print(seen .. " records")
    return 0
end

return { main = main }
