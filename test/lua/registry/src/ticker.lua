local events = require("events")
local process = require("process")
local channel = require("channel")

local function main(word)
    events.send("ticker", "started", word or "none")
    while true do
        local r = channel.select({ process.events():case_receive() })
        if not r.ok or r.value.kind == process.event.CANCEL then
            events.send("ticker", "stopped", word or "none")
            return
        end
    end
end

return { main = main }
