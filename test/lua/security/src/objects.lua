-- The objects of the module: actors, policies, scopes; and can().
local check = require("check")
local funcs = require("funcs")
local process = require("process")
local security = require("security")

local function actors()
    local given = { role = "admin", tags = { "a", "b" }, deep = { x = 1 } }
    local actor = security.new_actor("user:1", given)
    given.role = "changed"
    check.equal("id", actor:id(), "user:1")
    check.equal("meta", actor:meta().role, "admin")
    check.equal("list in meta", actor:meta().tags[2], "b")
    check.equal("deep meta", actor:meta().deep.x, 1)
    actor:meta().role = "mine"
    check.equal("meta is a copy", actor:meta().role, "admin")
    check.equal("no meta is a table", next(security.new_actor("u"):meta()), nil)
    check.equal("empty meta", type(security.new_actor("u", {}):meta()), "table")
    check.equal("empty id", security.new_actor(""):id(), "")
    check.equal("no id", (pcall(security.new_actor)), false)
    check.equal("meta is no table", (pcall(security.new_actor, "u", 5)), false)
    check.raises("NUL", "(the text holds a NUL byte)", security.new_actor, "a\0b")
    check.equal("nobody runs this", security.actor(), nil)
    check.equal("no scope", security.scope(), nil)
    check.equal("can without anything", security.can("a", "b"), false)
    check.equal("can: bad argument", (pcall(security.can, "a")), false)
    check.equal("can: bad meta", (pcall(security.can, "a", "b", 5)), false)
end

local function policies()
    local p, err = security.policy("app:only_admins")
    check.equal("no error", err, nil)
    check.equal("id", p:id(), "app:only_admins")
    check.failed("unknown", nil, select(2, security.policy("app:none")), "Internal", "get policy: policy not found")
    check.failed("bare", nil, select(2, security.policy("only_admins")), "Internal", "get policy: policy not found")
    local admin = security.new_actor("u", { role = "admin" })
    local guest = security.new_actor("g")
    check.equal("admin writes", p:evaluate(admin, "doc.write", "doc:1"), "allow")
    check.equal("prefix", p:evaluate(admin, "doc.writer", "doc:1"), "allow")
    check.equal("other resource", p:evaluate(admin, "doc.write", "file:1"), "undefined")
    check.equal("guest", p:evaluate(guest, "doc.read", "doc:1"), "undefined")
    check.equal("public", p:evaluate(guest, "doc.read", "doc:1", { public = true }), "allow")
    check.equal("public write", p:evaluate(guest, "doc.write", "doc:1", { public = true }), "undefined")
    local deny = security.policy("app:deny_network")
    check.equal("deny", deny:evaluate(guest, "network.select", "app:proxy"), "deny")
    check.equal("deny other", deny:evaluate(guest, "network.bind", "app:proxy"), "undefined")
    check.equal("no actor", (pcall(deny.evaluate, deny, nil, "a", "b")), false)
    check.equal("a policy is no actor", (pcall(deny.evaluate, deny, deny, "a", "b")), false)
end

local function scopes()
    local all, deny = security.policy("app:allow_all"), security.policy("app:deny_network")
    local someone = security.new_actor("u")
    local empty = security.new_scope()
    check.equal("empty", empty:evaluate(someone, "a", "b"), "undefined")
    check.equal("empty list", #security.new_scope({}):policies(), 0)
    local mixed = security.new_scope({ all, 5, "text", deny, all })
    check.equal("others are left out", #mixed:policies(), 2)
    check.equal("deny wins", mixed:evaluate(someone, "network.select", "app:proxy"), "deny")
    check.equal("allow", mixed:evaluate(someone, "network.bind", "app:proxy"), "allow")
    check.equal("contains", mixed:contains(all), true)
    check.equal("contains id", mixed:contains("app:deny_network"), true)
    check.equal("contains table", mixed:contains({ ns = "app", name = "allow_all" }), true)
    check.equal("contains none", mixed:contains("app:none"), false)
    check.equal("contains what", (pcall(mixed.contains, mixed, 5)), false)
    local one = empty:with(all)
    check.equal("with", one:contains(all), true)
    check.equal("with leaves the old", empty:contains(all), false)
    check.equal("without", mixed:without(deny):evaluate(someone, "network.select", "x"), "allow")
    check.equal("without id", mixed:without("app:allow_all"):evaluate(someone, "network.bind", "x"), "undefined")
    check.equal("without table", #mixed:without({ ns = "app", name = "allow_all" }):policies(), 1)
    check.equal("without leaves the old", #mixed:policies(), 2)
    check.equal("not a list", (pcall(security.new_scope, 5)), false)
    local group, err = security.named_scope("app:untrusted")
    check.equal("no error", err, nil)
    check.equal("group", #group:policies(), 2)
    check.equal("group says", group:evaluate(someone, "network.select", "app:proxy"), "deny")
    check.equal("group elsewhere", #security.named_scope("other:guests"):policies(), 1)
    for _, id in ipairs({ "untrusted", "app:none", "" }) do
        local s, why = security.named_scope(id)
        check.failed("group " .. id, s, why, "Internal", "get policy group: policy group not found")
    end
end

-- What can() says inside functions with a context.
local function can()
    local all, untrusted = security.named_scope("app:everyone"), security.named_scope("app:untrusted")
    local actor = security.new_actor("u", { role = "admin" })
    local docs = security.named_scope("app:documents")
    local function ask(a, s, ...)
        local f = funcs.new()
        if a then f = f:with_actor(a) end
        if s then f = f:with_scope(s) end
        local v = f:call("app:ask_can", ...)
        return v
    end
    check.equal("both", ask(actor, all, "x", "y"), true)
    check.equal("denied", ask(actor, untrusted, "network.select", "y"), false)
    check.equal("only an actor", ask(actor, nil, "x", "y"), false)
    check.equal("only a scope", ask(nil, all, "x", "y"), false)
    -- The call itself is the caller's business, not the callee's.
    check.equal("documents", ask(actor, docs, "doc.read", "doc:1"), true)
    check.equal("meta", ask(security.new_actor("g"), docs, "doc.read", "doc:1", { public = true }), true)
    check.equal("no meta", ask(security.new_actor("g"), docs, "doc.read", "doc:1"), false)
end

local function main()
    actors()
    policies()
    scopes()
    can()
    return check.over()
end

return { main = main }
