local registry = require("registry")
local io = require("io")

local function show(value, err)
    io.print(tostring(value) .. "\t" .. tostring(err and err:kind()) .. "\t" .. tostring(err and err:message()))
end

local function main()
    local v = registry.snapshot():changes():create({ id = "app:x", kind = "registry.entry" }):apply()
    io.print(v:string())
    show(registry.versions())
    show(registry.history())
    show(registry.snapshot_at(1))
    show(registry.apply_version(v))
    return 0
end

return { main = main }
