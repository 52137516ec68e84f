-- What a run finds and leaves: for the history that outlives it.
local registry = require("registry")
local io = require("io")

local function main(what)
    local e = registry.get("app:kept")
    local n = e and e.data.n or 0
    local plain = registry.get("app:plain")
    io.print("found " .. n .. " at " .. registry.current_version():string() .. " team " .. tostring(plain.meta.team))
    if what == "back" then
        assert(registry.apply_version(registry.history():get_version(1)))
    elseif what == "plain" then
        plain.meta.team = "changed"
        assert(registry.snapshot():changes():update(plain):apply())
    elseif what == "add" then
        local c = registry.snapshot():changes()
        local fresh = { id = "app:kept", kind = "registry.entry", data = { n = n + 1, text = "grün" } }
        if e then c:update(fresh) else c:create(fresh) end
        assert(c:apply())
    end
    return 0
end

return { main = main }
