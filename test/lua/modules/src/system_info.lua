local system = require("system")
local check = require("check")
local events = require("events")
local os = require("os")
local process = require("process")
local time = require("time")

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
    -- Who runs there.
    local list = system.hosts.processes("app:terminal")
    check.equal("processes of the terminal", #list, 1)
    check.equal("this one", list[1].pid .. list[1].source .. list[1].state .. list[1].host, process.pid() .. "app:system_infowaitingapp:terminal")
    for _ = 1, 20 do process.spawn("app:sleeper", "app:workers") end
    list = system.hosts.processes("app:workers")
    check.equal("processes of the other", #list, 20)
    check.equal("one of them", list[20].source .. tostring(list[20].parent), "app:sleeper" .. process.pid())
    v, err = system.hosts.processes("")
    check.failed("no host", v, err, errors.INVALID, "host ID required")
    v, err = system.hosts.processes("app:none")
    check.failed("unknown host", v, err, errors.NOT_FOUND, "host not found: app:none")
    -- Services.
    local now = os.time() * 1000000000
    local state = system.supervisor.state("app:terminal")
    check.equal("a service", state.id .. " " .. state.status .. " " .. state.desired, "app:terminal running running")
    check.equal("its retries", state.retry_count, 0)
    check.yes("its times", state.started_at > now - 3600000000000 and state.last_update >= state.started_at)
    check.equal("no details", state.details, nil)
    local ids = {}
    for i, s in ipairs(system.supervisor.states()) do ids[i] = s.id .. "=" .. s.status end
    check.equal("all services", table.concat(ids, " "), "app:broken=unknown app:terminal=running app:workers=running")
    check.equal("never started", system.supervisor.state("app:broken").started_at, 0)
    events.send("supervisor", "service.start", "app:broken")
    for _ = 1, 500 do
        state = system.supervisor.state("app:broken")
        if state.status == "failed" then break end
        time.sleep("10ms")
    end
    check.yes("why it failed", string.find(state.details or "", "broken on purpose", 1, true))
    v, err = system.supervisor.state("app:none")
    check.failed("unknown service", v, err, errors.NOT_FOUND, "service not found: app:none")
    v, err = system.supervisor.state("")
    check.failed("no service", v, err, errors.INVALID, "service ID required")
    check.equal("state(5) raises", pcall(function() return system.supervisor.state({} :: any) end), false)
    -- Limits are those of the configuration.
    check.equal("limit", math.type(system.memory.get_limit()), "integer")
    v, err = system.memory.set_limit(1000000)
    check.failed("set the limit", v, err, errors.UNAVAILABLE, "fixed")
    check.equal("percent", system.gc.get_percent(), 100)
    v, err = system.gc.set_percent(50)
    check.failed("set the percent", v, err, errors.UNAVAILABLE, "fixed")
    -- A cluster of one.
    check.equal("address", system.node.addr(), "")
    check.equal("role", system.node.role(), "standalone")
    local members = system.cluster.members()
    check.equal("members", #members .. members[1].id .. tostring(members[1].is_local), "1" .. system.node.id() .. "true")
    check.equal("leader", system.cluster.leader(), "")
    check.equal("size", system.cluster.size(), 1)
    for _, name in ipairs({ "is_leader", "is_member", "role", "term", "commit_index", "stats" }) do
        v, err = system.raft[name]()
        check.failed("raft." .. name, v, err, errors.INTERNAL, "raft not available")
    end
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
