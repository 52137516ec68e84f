local pg = require("pg")

-- Join the groups, tell the parent, count the news until told to stop.
local function main(parent: string, groups)
    local g = assert(pg.open("app:scope"))
    local inbox = process.inbox()
    local count = 0
    assert(g:join(groups))
    process.send(parent, "joined")
    while true do
        local topic = inbox:receive():topic()
        if topic == "stop" then return count end
        if topic == "news" then count = count + 1 end
    end
end

return { main = main }
