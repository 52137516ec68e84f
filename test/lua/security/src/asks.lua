-- Answers whether its scope still allows something.
local channel = require("channel")
local process = require("process")
local security = require("security")

local function main()
    local inbox, events = process.listen("ask"), process.events()
    while true do
        local r = channel.select({ inbox:case_receive(), events:case_receive() })
        if r.channel == events then return end
        process.send(r.value, "answer", security.can("x", "y"))
    end
end

return { main = main }
