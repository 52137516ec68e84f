-- A service: answers `who` messages with who it is.
local channel = require("channel")
local process = require("process")
local security = require("security")

local function main(name)
    process.registry.register("service-" .. name)
    local inbox, events = process.listen("who"), process.events()
    while true do
        local r = channel.select({ inbox:case_receive(), events:case_receive() })
        if r.channel == events then return end
        local actor, scope = security.actor(), security.scope()
        local ids = {}
        for _, p in ipairs(scope and scope:policies() or {}) do table.insert(ids, p:id()) end
        table.sort(ids)
        process.send(r.value, "me", {
            actor = actor and "<" .. actor:id() .. ">" or "none",
            role = actor and actor:meta().role or "none",
            scope = scope and table.concat(ids, " ") or "none",
            can = security.can("anything", "at all"),
        })
    end
end

return { main = main }
