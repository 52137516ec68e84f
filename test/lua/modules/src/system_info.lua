local system = require("system")
local check = require("check")

local function main()
    local names = {}
    for _, m in ipairs(system.modules()) do
        names[m.name] = m
    end
    check.yes("json", names.json)
    check.equal("described", names.json.description ~= "", true)
    check.equal("class", names.json.class[1], "encoding")
    local stats = system.memory.stats()
    for _, name in ipairs({ "alloc", "heap_alloc", "heap_sys", "sys", "heap_in_use", "heap_idle" }) do
        check.equal(name, type(stats[name]), "number")
    end
    check.yes("allocated", system.memory.allocated() >= 0)
    check.equal("collect", system.gc.collect(), true)
    check.yes("tasks", system.runtime.goroutines() >= 1)
    check.yes("workers", system.runtime.max_procs() >= 1)
    local v, err = system.runtime.max_procs(2)
    check.failed("fixed", v, err, errors.UNAVAILABLE, "fixed")
    check.yes("processors", system.runtime.cpu_count() >= 1)
    check.yes("pid", system.process.pid() > 1)
    check.equal("node", system.node.id(), system.process.hostname())
    check.yes("directory", string.sub(system.process.cwd(), 1, 1) == "/")
    local hosts = {}
    for _, h in ipairs(system.hosts.list()) do
        hosts[h.id] = h
    end
    check.yes("terminal", hosts["app:terminal"] and hosts["app:terminal"].processes >= 1)
    check.equal("workers", hosts["app:workers"] and hosts["app:workers"].processes, 0)
    -- Garbage goes when asked.
    local heap = function() return system.memory.stats().lua_heap end
    local junk = string.rep("x", 4000000)
    local before = heap()
    junk = nil
    system.gc.collect()
    check.yes("collected", heap() < before - 3000000)
    return check.over()
end

return { main = main }
