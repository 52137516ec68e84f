-- Token stores: making, checking, revoking tokens; the words of errors.
local check = require("check")
local funcs = require("funcs")
local security = require("security")
local store = require("store")
local time = require("time")

local alice = security.new_actor("alice", { role = "admin", tags = { "a" } })
local untrusted = security.named_scope("app:untrusted")

local function ids(scope)
    local list = {}
    for _, p in ipairs(scope:policies()) do table.insert(list, p:id()) end
    table.sort(list)
    return table.concat(list, " ")
end

local function refused(what, tokens, token, words)
    local actor, scope, err = tokens:validate(token)
    check.equal(what .. ": actor", actor, nil)
    check.equal(what .. ": scope", scope, nil)
    check.equal(what .. ": kind", err and err:kind(), "Internal")
    check.equal(what .. ": words", err and err:message(), "validate token: " .. words)
    check.equal(what .. ": retryable", err and err:retryable(), false)
end

local function life(id, signed)
    local tokens, err = security.token_store(id)
    check.equal(id .. ": opened", err, nil)
    local token, why = tokens:create(alice, untrusted)
    check.equal(id .. ": created", why, nil)
    check.equal(id .. ": text", token:match("^[A-Za-z0-9_=.-]+$"), token)
    check.equal(id .. ": length", #token, signed and 44 + 1 + 44 or 44)
    check.equal(id .. ": fresh", tokens:create(alice, untrusted) ~= token, true)
    local actor, scope, bad = tokens:validate(token)
    check.equal(id .. ": no error", bad, nil)
    check.equal(id .. ": actor", actor:id(), "alice")
    check.equal(id .. ": meta", actor:meta().role, "admin")
    check.equal(id .. ": list in meta", actor:meta().tags[1], "a")
    check.equal(id .. ": scope", ids(scope), "app:allow_all app:deny_network")
    -- It works as a context.
    local who = funcs.new():with_actor(actor):with_scope(scope):call("app:who")
    check.equal(id .. ": as a context", who.actor, "alice")
    refused(id .. " empty", tokens, "", "invalid token format")
    local plain = signed and token:match("^[^.]+") or token
    if signed then
        refused(id .. " unsigned", tokens, plain, "invalid token format")
        refused(id .. " three parts", tokens, token .. ".x", "invalid token format")
        refused(id .. " no signature", tokens, plain .. ".", "invalid token format")
        refused(id .. " wrong signature", tokens, plain .. "." .. ("A"):rep(43) .. "=", "invalid token format")
        local other = tokens:create(alice, untrusted)
        refused(id .. " another's signature", tokens, plain .. other:match("%..*"), "invalid token format")
    else
        refused(id .. " with a dot", tokens, token .. ".x", "token not found")
        refused(id .. " unknown", tokens, ("A"):rep(43) .. "=", "token not found")
        refused(id .. " of another namespace", tokens, "app:key", "invalid token format")
    end
    local ok, none = tokens:revoke(token)
    check.equal(id .. ": revoked", ok, true)
    check.equal(id .. ": revoked without error", none, nil)
    refused(id .. " revoked", tokens, token, "token not found")
    ok, err = tokens:revoke(token)
    check.failed(id .. " revoked again", ok, err, "Internal", "revoke token: token not found")
    ok, err = tokens:revoke("")
    check.failed(id .. " revoke nothing", ok, err, "Internal", "revoke token: invalid token format")
    check.equal(id .. ": closed", tokens:close(), true)
    check.equal(id .. ": closed again", tokens:close(), true)
    check.failed(id .. " create, closed", nil, select(2, tokens:create(alice, untrusted)), "Internal", "token store is closed")
    check.failed(id .. " validate, closed", nil, select(3, tokens:validate(token)), "Internal", "token store is closed")
    check.failed(id .. " revoke, closed", nil, select(2, tokens:revoke(token)), "Internal", "token store is closed")
end

local function options()
    local tokens = security.token_store("app:plain_tokens")
    for _, e in ipairs({ "7d", "soon", "-1s", -1, 0 / 0, {}, true }) do
        local t, err = tokens:create(alice, untrusted, { expiration = e })
        check.failed("expiration " .. tostring(e), t, err, "Invalid", "invalid expiration format")
    end
    for _, e in ipairs({ 0, "0", "1h", 60000, 60000.5 }) do
        local t, err = tokens:create(alice, untrusted, { expiration = e, meta = { device = "x" } })
        check.equal("expiration " .. tostring(e), err, nil)
        check.equal("still there", select(3, tokens:validate(t)), nil)
    end
    local short = tokens:create(alice, untrusted, { expiration = 50 })
    local text = tokens:create(alice, untrusted, { expiration = "50ms" })
    time.sleep("120ms")
    refused("expired", tokens, short, "token not found")
    refused("expired text", tokens, text, "token not found")
    -- What something else has put under a key is no token.
    local s = store.get("app:token_data")
    s:set("innocent", { actor = { id = "root" }, policies = {}, expires_at = 0 })
    local actor = tokens:validate("innocent")
    check.equal("no token of ours", actor, nil)
    check.equal("no actor", (pcall(tokens.create, tokens, "alice", untrusted)), false)
    check.equal("no scope", (pcall(tokens.create, tokens, alice)), false)
    check.equal("no token", (pcall(tokens.validate, tokens)), false)
end

local function stores()
    local t, err = security.token_store("")
    check.failed("empty id", t, err, "Invalid", "token store id is required")
    t, err = security.token_store("app:none")
    check.failed("unknown", t, err, "Internal", "acquire token store: resource not found: app:none")
    t, err = security.token_store("app:token_data")
    check.failed("another resource", t, err, "Internal", "resource is not a token store")
    t = security.token_store("app:lost_tokens")
    local token, why = t:create(alice, untrusted)
    check.failed("no backing store", token, why, "Internal", "create token: resource not found: app:lost")
end

local function main()
    stores()
    life("app:plain_tokens", false)
    life("app:signed_tokens", true)
    life("app:keyed_tokens", true)
    options()
    return check.over()
end

return { main = main }
