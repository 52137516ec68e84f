-- Policies that come, change and go while the program runs.
local check = require("check")
local funcs = require("funcs")
local process = require("process")
local registry = require("registry")
local security = require("security")
local time = require("time")

local actor = security.new_actor("u")

local function entry(name, effect, groups, actions)
    return {
        id = "app:" .. name,
        kind = "security.policy",
        meta = {},
        data = { policy = { actions = actions or "*", resources = "*", effect = effect }, groups = groups },
    }
end

local function apply(what, op, value)
    local changes = registry.snapshot():changes()
    changes[op](changes, value)
    local version, err = changes:apply()
    check.equal(what .. ": applied", err and err:message(), nil)
    return version, err
end

local function verdict(scope) return scope and scope:evaluate(actor, "x", "y") or "no scope" end
local function group(id) return (security.named_scope(id)) end

local function main()
    check.equal("no policy yet", security.policy("app:live"), nil)
    check.equal("no group yet", group("app:changing"), nil)
    apply("create", "create", entry("live", "allow", { "changing" }))
    local old_policy, old_group = security.policy("app:live"), group("app:changing")
    local old_scope = security.new_scope({ old_policy })
    check.equal("policy", old_policy:evaluate(actor, "x", "y"), "allow")
    check.equal("group", verdict(old_group), "allow")
    -- One that runs with the old scope, for later.
    local child = process.with_context({}):with_actor(actor):with_scope(group("app:changing"))
        :spawn("app:asks", "app:processes")

    apply("update", "update", entry("live", "deny", { "changing" }))
    check.equal("new policy", security.policy("app:live"):evaluate(actor, "x", "y"), "deny")
    check.equal("new group", verdict(group("app:changing")), "deny")
    check.equal("old policy", old_policy:evaluate(actor, "x", "y"), "allow")
    check.equal("old group", verdict(old_group), "allow")
    check.equal("old scope", verdict(old_scope), "allow")
    check.equal("rebuilt", verdict(old_scope:with(security.policy("app:live"))), "deny")
    local answers = process.listen("answer")
    process.send(child, "ask", process.pid())
    check.equal("what runs keeps its scope", answers:receive(), true)
    local can = funcs.new():with_actor(actor):with_scope(group("app:changing")):call("app:ask_can", "x", "y")
    check.equal("what begins has the new one", can, false)

    -- One that cannot be built leaves the old one.
    local changes = registry.snapshot():changes()
    changes:update(entry("live", "maybe", { "changing" }))
    local version, err = changes:apply()
    check.equal("refused", version, nil)
    check.equal("why", (err:message():find("failed to create policy entry: invalid policy effect: maybe", 1, true)) ~= nil, true)
    check.equal("the old one stays", verdict(group("app:changing")), "deny")

    -- It moves to another group; the first one is gone.
    apply("move", "update", entry("live", "deny", { "app:moved" }))
    check.equal("old group is gone", group("app:changing"), nil)
    check.equal("new group", verdict(group("app:moved")), "deny")

    -- A service and the policies of its group in one step.
    changes = registry.snapshot():changes()
    changes:create({
        id = "app:a_live_service", kind = "process.service", meta = {},
        data = {
            process = "app:reports", host = "app:processes", input = { "live" },
            lifecycle = { auto_start = true, security = { actor = { id = "service:live" }, groups = { "app:zz_group" } } },
        },
    })
    changes:create(entry("zz_policy", "allow", { "zz_group" }))
    version, err = changes:apply()
    check.equal("service: applied", err and err:message(), nil)
    local me = process.listen("me")
    for _ = 1, 100 do
        if process.send("service-live", "who", process.pid()) then break end
        time.sleep("20ms")
    end
    local got = me:receive()
    check.equal("service: actor", got.actor, "<service:live>")
    check.equal("service: scope", got.scope, "app:zz_policy")

    apply("delete", "delete", "app:live")
    check.equal("policy is gone", security.policy("app:live"), nil)
    check.equal("group is gone", group("app:moved"), nil)
    check.equal("old scope stays", verdict(old_scope), "allow")
    process.send(child, "ask", process.pid())
    check.equal("what runs keeps its scope after all", answers:receive(), true)

    -- A token names policies; what they say is looked up when it is shown.
    apply("again", "create", entry("live", "allow", {}))
    local tokens = security.token_store("app:plain_tokens")
    local token = tokens:create(actor, security.new_scope({ security.policy("app:live"), security.policy("app:only_admins") }))
    local _, scope = tokens:validate(token)
    check.equal("token: as made", verdict(scope), "allow")
    apply("change", "update", entry("live", "deny", {}))
    _, scope = tokens:validate(token)
    check.equal("token: changed", verdict(scope), "deny")
    apply("drop", "delete", "app:live")
    _, scope = tokens:validate(token)
    check.equal("token: dropped", #scope:policies(), 1)
    check.equal("token: nothing is allowed", verdict(scope), "undefined")
    return check.over()
end

return { main = main }
