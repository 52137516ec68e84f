-- What the bus hears of changes.
local registry = require("registry")
local events = require("events")
local check = require("check")
local time = require("time")
local channel = require("channel")

local function collect(ch, n)
    local out = {}
    while #out < n do
        local r = channel.select({ ch:case_receive(), time.after("5s"):case_receive() })
        if r.channel ~= ch then
            break
        end
        table.insert(out, r.value)
    end
    return out
end

local function words(list)
    local out = {}
    for i, ev in ipairs(list) do
        out[i] = ev.kind .. " " .. ev.path
    end
    return table.concat(out, ", ")
end

local function main()
    local sub = assert(events.subscribe("registry"))
    local ch = sub:channel()
    registry.snapshot():changes():create({ id = "app:x", kind = "registry.entry",
        data = { n = 1, password = "hunter2", nested = { auth_key = "k" }, key_env = "KEY" } }):delete("app:bare"):apply()
    local got = collect(ch, 6)
    check.equal("a change", words(got),
        "registry.begin registry, entry.delete app:bare, entry.accept app:bare, entry.create app:x, entry.accept app:x, "
            .. "registry.commit registry")
    local data = got[4] and got[4].data
    check.equal("what is deleted is shown", got[2] and got[2].data.kind, "registry.entry")
    check.equal("system", got[4] and got[4].system, "registry")
    check.equal("entry", data and data.kind, "registry.entry")
    check.equal("data", data and data.data.n, 1)
    check.equal("no password", data and data.data.password, "[redacted]")
    check.equal("no key", data and data.data.nested.auth_key, "[redacted]")
    check.equal("the name of a variable", data and data.data.key_env, "KEY")
    registry.snapshot():changes():create({ id = "app:y", kind = "process.host", data = { host = { workers = -1 } } }):apply()
    got = collect(ch, 4)
    check.equal("a refusal", words(got),
        "registry.begin registry, entry.create app:y, entry.reject app:y, registry.discard registry")
    check.equal("why", got[3] and type(got[3].data.error), "string")
    return check.over()
end

return { main = main }
