-- What travels over which edge: actor and scope each for itself.
local check = require("check")
local funcs = require("funcs")
local process = require("process")
local security = require("security")
local time = require("time")

local alice = security.new_actor("alice", { role = "admin" })
local bob = security.new_actor("bob")
local everyone = security.named_scope("app:everyone")
local untrusted = security.named_scope("app:untrusted")

local function shows(what, got, actor, scope)
    check.equal(what .. ": actor", got and got.actor, actor)
    check.equal(what .. ": scope", got and got.scope, scope)
end

-- A process by this spawner, or by the module itself; its answer comes as a message.
local function spawned(with, form)
    local ch = process.listen("who")
    local pid, err
    if with then pid, err = with[form](with, "app:who_p", "app:processes", "who", process.pid())
    else pid, err = process[form]("app:who_p", "app:processes", "who", process.pid()) end
    check.equal(form .. ": no error", err, nil)
    local got = ch:receive()
    process.unlisten(ch)
    return got
end

local forms = { "spawn", "spawn_monitored", "spawn_linked_monitored" }

-- From a process without anything.
local function plain()
    shows("call", funcs.call("app:who"), "none", "none")
    shows("executor", funcs.new():call("app:who"), "none", "none")
    local f = funcs.new():with_actor(alice)
    shows("only an actor", f:call("app:who"), "alice", "none")
    shows("and a scope", f:with_scope(untrusted):call("app:who"), "alice", "app:allow_all app:deny_network")
    shows("the executor before is as it was", f:call("app:who"), "alice", "none")
    shows("replaced", f:with_actor(bob):with_scope(everyone):call("app:who"), "bob", "app:allow_all")
    check.equal("meta travels", f:call("app:who").role, "admin")
    local future = f:with_scope(everyone):async("app:who")
    shows("async", future:response():receive():data(), "alice", "app:allow_all")
    for _, form in ipairs(forms) do
        shows(form, spawned(nil, form), "none", "none")
        local s = process.with_context({}):with_actor(alice)
        shows(form .. " with an actor", spawned(s, form), "alice", "none")
        shows(form .. " with both", spawned(s:with_scope(everyone), form), "alice", "app:allow_all")
        shows(form .. " by the spawner before", spawned(s, form), "alice", "none")
    end
    shows("exec", process.exec("app:who_p", "app:processes"), "none", "none")
    check.equal("an actor is needed", (pcall(f.with_actor, f, nil)), false)
    check.equal("a scope is needed", (pcall(f.with_scope, f, alice)), false)
end

local function services()
    local ch = process.listen("me")
    local wanted = {
        named = { actor = "<service:named>", role = "worker", scope = "app:allow_all app:deny_network app:only_admins", can = true },
        empty = { actor = "<>", role = "none", scope = "none", can = false },
        plain = { actor = "none", role = "none", scope = "none", can = false },
    }
    for name, w in pairs(wanted) do
        local ok
        for _ = 1, 100 do
            ok = process.send("service-" .. name, "who", process.pid())
            if ok then break end
            time.sleep("20ms")
        end
        check.equal(name .. ": sent", ok, true)
        local got = ch:receive()
        for k, v in pairs(w) do check.equal(name .. ": " .. k, got[k], v) end
    end
    process.unlisten(ch)
end

-- From a process with both.
local function inside()
    local me, mine = "alice", "app:allow_all"
    shows("call", funcs.call("app:who"), me, mine)
    shows("executor", funcs.new():call("app:who"), me, mine)
    shows("another actor, the same scope", funcs.new():with_actor(bob):call("app:who"), "bob", mine)
    shows("another scope, the same actor", funcs.new():with_scope(untrusted):call("app:who"), me,
        "app:allow_all app:deny_network")
    for _, form in ipairs(forms) do
        shows(form, spawned(nil, form), me, mine)
        shows(form .. " by a spawner", spawned(process.with_context({}), form), me, mine)
        shows(form .. " as another", spawned(process.with_context({}):with_actor(bob), form), "bob", mine)
        shows(form .. " elsewhere", spawned(process.with_options({}):with_scope(untrusted), form), me,
            "app:allow_all app:deny_network")
    end
    shows("exec", process.exec("app:who_p", "app:processes"), me, mine)
    -- A message carries neither: the receiver keeps its own.
    services()
end

local function main(how)
    if how == "inside" then
        inside()
        return check.over()
    end
    plain()
    services()
    -- The same program again, as alice.
    local events = process.events()
    local s = process.with_context({}):with_actor(alice):with_scope(everyone)
    local pid, err = s:spawn_monitored("app:edges", "app:processes", "inside")
    check.equal("spawned", err, nil)
    while true do
        local e = events:receive()
        if e.kind == process.event.EXIT and e.from == pid then
            check.equal("inside", e.result and e.result.value, 0)
            break
        end
    end
    return check.over()
end

return { main = main }
