local registry = require("registry")
local io = require("io")

local function show(value, err)
    io.print(tostring(value) .. "\t" .. tostring(err and err:kind()) .. "\t" .. tostring(err and err:message()))
end

local function main()
    show(registry.get("app:plain"))
    io.print(#registry.find({}), #registry.snapshot():entries(), #registry.snapshot():namespace("app"))
    show(registry.snapshot():get("app:plain"))
    show(registry.snapshot():changes():delete("app:plain"):apply())
    show(registry.apply_version(registry.current_version()))
    return 0
end

return { main = main }
