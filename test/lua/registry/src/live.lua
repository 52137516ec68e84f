-- Creating, updating and deleting each kind while everything runs.
local registry = require("registry")
local events = require("events")
local funcs = require("funcs")
local process = require("process")
local env = require("env")
local pg = require("pg")
local check = require("check")
local time = require("time")
local channel = require("channel")

local function apply(op, id, kind, data, meta)
    local c = registry.snapshot():changes()
    if op == "delete" then
        c:delete(id)
    else
        c[op](c, { id = id, kind = kind, data = data, meta = meta })
    end
    local v, err = c:apply()
    return v, err
end

local function fine(what, ...)
    local _, err = apply(...)
    check.equal(what, err and err:message(), nil)
end

local function receive(ch)
    local r = channel.select({ ch:case_receive(), time.after("5s"):case_receive() })
    return r.channel == ch and r.value.kind .. " " .. r.value.path or "nothing"
end

local function code()
    check.equal("before", funcs.call("app:answer"), "first one")
    fine("library", "update", "app:words", "library.lua", { source = "return { word = function() return 'two' end }" })
    check.equal("what imports it", funcs.call("app:answer"), "first two")
    local _, err = apply("update", "app:words", "library.lua", { source = "return {" })
    check.equal("a bad library is refused", err and err:kind(), "Internal")
    check.equal("the old one stays", funcs.call("app:answer"), "first two")
    fine("function", "update", "app:answer", "function.lua", { source = "return { main = function() return 'second' end }",
        method = "main" })
    check.equal("new code", funcs.call("app:answer"), "second")
    fine("a new function", "create", "app:fresh", "function.lua", { source = "return { main = function(x) return x + 1 end }",
        method = "main" })
    check.equal("can be called", funcs.call("app:fresh", 4), 5)
    fine("and removed", "delete", "app:fresh")
    local value
    value, err = funcs.call("app:fresh", 4)
    check.equal("is gone", value, nil)
    check.equal("NotFound", err and err:kind(), "NotFound")
    -- A library and who imports it, in one change, in the wrong order.
    local v
    v, err = registry.snapshot():changes()
        :create({ id = "app:a_user", kind = "function.lua", data = { source = "return { main = function() return require('lib').x end }",
            method = "main", imports = { lib = "app:z_lib" } } })
        :create({ id = "app:z_lib", kind = "library.lua", data = { source = "return { x = 42 }" } }):apply()
    check.equal("both", err and err:message(), nil)
    check.equal("work", funcs.call("app:a_user"), 42)
    -- The second fails: the first is as it was.
    v, err = registry.snapshot():changes()
        :update({ id = "app:answer", kind = "function.lua", data = { source = "return { main = function() return 'third' end }",
            method = "main" } })
        :create({ id = "app:zzz", kind = "function.lua", data = { source = "" } }):apply()
    check.equal("refused", v, nil)
    check.equal("rolled back", funcs.call("app:answer"), "second")
end

local function hosts()
    fine("a host", "create", "app:extra", "process.host", { lifecycle = { auto_start = true } })
    local pid, err = process.spawn("app:ticker", "app:extra", "host")
    check.equal("runs at once", err and tostring(err), nil)
    check.equal("spawned", pid ~= nil, true)
    check.equal("it runs", receive(_G_ticker), "started host")
    fine("the host goes", "delete", "app:extra")
    check.equal("its processes were asked to stop", receive(_G_ticker), "stopped host")
    pid, err = process.spawn("app:ticker", "app:extra", "late")
    check.equal("gone", pid, nil)
end

local function services()
    local data = { process = "app:ticker", host = "app:processes", input = { "one" }, lifecycle = { auto_start = true } }
    fine("a service", "create", "app:service", "process.service", data)
    check.equal("runs", receive(_G_ticker), "started one")
    data.input = { "two" }
    fine("another input", "update", "app:service", "process.service", data)
    events.send("supervisor", "service.stop", "app:service")
    check.equal("the running one was not touched", receive(_G_ticker), "stopped one")
    events.send("supervisor", "service.start", "app:service")
    check.equal("the next run has it", receive(_G_ticker), "started two")
    fine("no service", "delete", "app:service")
    check.equal("stops", receive(_G_ticker), "stopped two")
    -- Host and service at once: the service waits for its host.
    data.host = "app:zhost"
    local _, err = registry.snapshot():changes():create({ id = "app:aservice", kind = "process.service", data = data })
        :create({ id = "app:zhost", kind = "process.host", data = { lifecycle = { auto_start = true } } }):apply()
    check.equal("together", err and err:message(), nil)
    check.equal("it runs", receive(_G_ticker), "started two")
    _, err = registry.snapshot():changes():delete("app:zhost"):delete("app:aservice"):apply()
    check.equal("both go", err and err:message(), nil)
    check.equal("it stopped", receive(_G_ticker), "stopped two")
end

local function variables()
    fine("a storage", "create", "app:values", "env.storage.static", { values = { COLOUR = "red" } })
    fine("a variable", "create", "app:colour", "env.variable", { variable = "COLOUR", storage = "app:values" })
    check.equal("value", env.get("COLOUR"), "red")
    fine("another value", "update", "app:values", "env.storage.static", { values = { COLOUR = "blue" } })
    check.equal("is seen", env.get("COLOUR"), "blue")
    fine("no variable", "delete", "app:colour")
    check.equal("is gone", env.get("COLOUR"), nil)
    fine("no storage", "delete", "app:values")
end

local function groups()
    fine("a scope", "create", "app:scope", "pg.scope", { lifecycle = { auto_start = true } })
    local scope, err = pg.open("app:scope")
    check.equal("opens", err and tostring(err), nil)
    check.equal("joins", scope and scope:join("g"), true)
    if scope then scope:release() end
    fine("no scope", "delete", "app:scope")
    scope = pg.open("app:scope")
    check.equal("gone", scope, nil)
end

local function entries()
    for _, kind in ipairs({ "registry.entry", "ns.definition", "ns.dependency", "ns.requirement" }) do
        fine(kind, "create", "app:e", kind)
        fine(kind .. " update", "update", "app:e", kind, { x = 1 })
        check.equal(kind .. " data", registry.get("app:e").data.x, 1)
        fine(kind .. " delete", "delete", "app:e")
    end
end

local function networks()
    fine("an overlay", "create", "app:proxy", "network.socks5", { host = "127.0.0.1", port = 1 })
    local _, err = apply("update", "app:proxy", "network.socks5", { host = "127.0.0.1", port = 0 })
    check.equal("an invalid port", err and err:kind(), "Internal")
    check.equal("named", err and err:message():find("invalid port", 1, true) ~= nil, true)
    check.equal("the entry stays", registry.get("app:proxy").data.port, 1)
    fine("another port", "update", "app:proxy", "network.socks5", { host = "127.0.0.1", port = 2 })
    fine("no overlay", "delete", "app:proxy")
end

local function main()
    _G_ticker = assert(events.subscribe("ticker")):channel()
    code()
    hosts()
    services()
    variables()
    groups()
    entries()
    networks()
    return check.over()
end

return { main = main }
