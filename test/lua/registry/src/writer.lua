-- Applies changes until somebody ends it.
local registry = require("registry")
local process = require("process")

local function main(name, rounds)
    for i = 1, rounds or 1000000 do
        local c = registry.snapshot():changes()
        if i == 1 then
            c:create({ id = name, kind = "registry.entry", data = { n = i } })
        else
            c:update({ id = name, kind = "registry.entry", data = { n = i } })
        end
        local v, err = c:apply()
        if not v then
            return nil, err
        end
    end
    return "done"
end

return { main = main }
