-- Who runs this, under which policies; called again through `way` ("call", "spawn") when there is one.
local funcs = require("funcs")
local process = require("process")
local security = require("security")

local function main(topic, to)
    local actor, scope = security.actor(), security.scope()
    local ids = {}
    for _, p in ipairs(scope and scope:policies() or {}) do table.insert(ids, p:id()) end
    table.sort(ids)
    local answer = {
        actor = actor and actor:id() or "none",
        role = actor and actor:meta().role or "none",
        scope = scope and table.concat(ids, " ") or "none",
    }
    if topic then process.send(to, topic, answer) end
    return answer
end

return { main = main }
