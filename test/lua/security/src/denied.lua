-- Every action: allowed under a scope that allows all, refused with its kind and words when a policy names action and resource.
local check = require("check")
local funcs = require("funcs")
local process = require("process")
local security = require("security")

local url = "http://127.0.0.1:1/"
local P, I, RAISED = "PermissionDenied", "Invalid", "raised"

-- attempt, action, resource, how it is refused, words; `pid` stands for the sleeper's.
local rows = {
    { "funcs.call", "funcs.call", "app:nothing", P, "not allowed: app:nothing" },
    { "funcs.async", "funcs.call", "app:nothing", P, "not allowed: app:nothing" },
    { "executor call", "funcs.call", "app:nothing", P, "not allowed: app:nothing" },
    { "executor async", "funcs.call", "app:nothing", P, "not allowed: app:nothing" },
    { "funcs context", "funcs.context", "context", P, "not allowed to call functions with custom context" },
    { "funcs actor", "funcs.security", "security", P, "not allowed to call functions with custom security context" },
    { "funcs scope", "funcs.security", "security", P, "not allowed to call functions with custom security context" },
    { "funcs network", "network.select", "app:proxy", P, "not allowed: network app:proxy" },
    { "funcs direct", "network.select", "direct", P, "not allowed: network direct" },
    { "http network", "network.select", "app:proxy", P, "not allowed: network app:proxy", url },
    { "http direct", "network.select", "direct", P, "not allowed: network direct", url },
    { "http stream network", "network.select", "app:proxy", P, "not allowed: network app:proxy", url },
    { "http batch network", "network.select", "app:proxy", P, "not allowed: network app:proxy", url },
    { "http.request", "http_client.request", url, P, "not allowed: " .. url, url },
    { "http batch network", "http_client.request", url, P, "not allowed: " .. url, url },
    { "http private", "http_client.private_ip", "10.1.2.3", P, "not allowed: private IP 10.1.2.3" },
    { "http private 6", "http_client.private_ip", "::1", P, "not allowed: private IP ::1" },
    { "http private overlay", "http_client.private_ip", "10.1.2.3", P, "not allowed: private IP 10.1.2.3" },
    { "http socket", "http_client.unix_socket", "/nowhere.sock", P, "not allowed: unix socket /nowhere.sock" },
    { "http insecure", "http_client.insecure_tls", url, P, "not allowed: insecure TLS for " .. url, url },
    { "spawn", "process.spawn", "app:sleeper", P, "not allowed to spawn process: app:sleeper" },
    { "spawn", "process.host", "app:processes", P, "not allowed to spawn on host: app:processes" },
    { "spawn_monitored", "process.spawn", "app:sleeper", P, "not allowed to spawn process: app:sleeper" },
    { "spawn_monitored", "process.spawn.monitored", "app:sleeper", P, "not allowed to spawn monitored process: app:sleeper" },
    { "spawn_linked", "process.spawn.linked", "app:sleeper", P, "not allowed to spawn linked process: app:sleeper" },
    { "spawn_linked_monitored", "process.spawn.linked", "app:sleeper", P, "not allowed to spawn linked process: app:sleeper" },
    { "spawn_linked_monitored", "process.spawn.monitored", "app:sleeper", P,
        "not allowed to spawn monitored process: app:sleeper" },
    { "exec", "process.exec", "app:who_p", P, "not allowed to exec process: app:who_p" },
    { "exec", "process.host", "app:processes", P, "not allowed to exec on host: app:processes" },
    { "with_context", "process.context", "context", RAISED, "not allowed to spawn processes with custom context" },
    { "with_options", "process.context", "context", RAISED, "not allowed to spawn processes with custom options" },
    { "spawner network", "network.select", "app:proxy", RAISED, "not allowed: network app:proxy" },
    { "spawner direct", "network.select", "direct", RAISED, "not allowed: network direct" },
    { "spawner later network", "network.select", "app:proxy", RAISED, "not allowed: network app:proxy" },
    { "spawner actor", "process.security", "security", RAISED, "not allowed to spawn processes with custom security context" },
    { "spawner scope", "process.security", "security", RAISED, "not allowed to spawn processes with custom security context" },
    { "spawner spawn", "process.spawn", "app:sleeper", RAISED, "not allowed to spawn process: app:sleeper" },
    { "spawner spawn_monitored", "process.spawn.monitored", "app:sleeper", RAISED,
        "not allowed to spawn monitored process: app:sleeper" },
    { "spawner spawn_linked", "process.spawn.linked", "app:sleeper", RAISED,
        "not allowed to spawn linked process: app:sleeper" },
    { "send", "process.send", "pid", P, "not allowed to send to: pid", "pid" },
    { "cancel", "process.cancel", "pid", P, "not allowed to cancel: pid", "pid" },
    { "terminate", "process.terminate", "pid", P, "not allowed to terminate: pid", "pid" },
    { "monitor", "process.monitor", "pid", P, "not allowed to monitor: pid", "pid" },
    { "unmonitor", "process.unmonitor", "pid", P, "not allowed to unmonitor: pid", "pid" },
    { "link", "process.link", "pid", P, "not allowed to link: pid", "pid" },
    { "unlink", "process.unlink", "pid", P, "not allowed to unlink: pid", "pid" },
    { "register", "process.registry.register", "a name", P, "not allowed to register: a name" },
    { "unregister", "process.registry.unregister", "a name", P, "not allowed to unregister: a name" },
    { "register eventual", "process.registry.register.eventual", "a name", P, "not allowed to register: a name" },
    { "register consistent", "process.registry.register.consistent", "a name", P, "not allowed to register: a name" },
    { "unregister strong", "process.registry.unregister.strong", "a name", P, "not allowed to unregister: a name" },
    { "register foreign", "process.registry.foreign", "pid", P, "not allowed to register for: pid", "pid" },
    { "env.get", "env.get", "A_VARIABLE", P, "not allowed to access environment variable: A_VARIABLE" },
    { "env.set", "env.set", "A_VARIABLE", P, "not allowed to set environment variable: A_VARIABLE" },
    { "events.subscribe", "events.subscribe", "ord*", I, "not allowed to subscribe to events from system: ord*" },
    { "events.send", "events.send", "orders", I, "not allowed to send events to system: orders" },
    { "system.exit", "system.exit", "", I, "permission denied: system.exit" },
    { "system.cwd", "system.read", "cwd", I, "permission denied: system.read on cwd" },
    { "system.gc", "system.gc", "gc", I, "permission denied: system.gc on gc" },
    { "system.max_procs", "system.control", "gomaxprocs", I, "permission denied: system.control on gomaxprocs" },
    { "pg.open", "pg.open", "app:scope", P, "not allowed to open pg scope: app:scope" },
    { "policy", "security.policy.get", "app:allow_all", I, "permission denied: access policy" },
    { "named_scope", "security.policy_group.get", "app:untrusted", I, "permission denied: access policy group" },
    { "new_scope", "security.scope.create", "custom", RAISED, "not allowed to create custom scopes" },
    { "scope with", "security.scope.create", "with", RAISED, "not allowed to create custom scopes" },
    { "scope without", "security.scope.create", "without", RAISED, "not allowed to create custom scopes" },
    { "token_store", "security.token_store.get", "app:plain_tokens", RAISED,
        "not allowed to access token store: app:plain_tokens" },
    { "token create", "security.token.create", "app:plain_tokens", I, "not allowed to create token" },
    { "token validate", "security.token.validate", "app:plain_tokens", I, "not allowed to validate token" },
    { "token revoke", "security.token.revoke", "app:plain_tokens", I, "not allowed to revoke token" },
    { "new_actor", "security.actor.create", "user:1", RAISED, "not allowed to create actor with ID: user:1" },
}

-- Run the attempt as an actor whose metadata names what the policy denies. Processes are told apart by `how`.
local function run(how, row, policy, meta, pid)
    local scope = security.new_scope({ security.policy("app:allow_all"), policy })
    local actor = security.new_actor("user:tester", meta)
    local arg = row[6] == "pid" and pid or row[6]
    if how == "call" then
        return funcs.new():with_actor(actor):with_scope(scope):call("app:attempts", row[1], arg)
    end
    local topic = "answer"
    local answers = process.listen(topic)
    local spawner = process.with_context({}):with_actor(actor):with_scope(scope)
    local child, err = spawner:spawn_monitored("app:attempts_p", "app:processes", row[1], arg)
    if err then return nil, err end
    local events = process.events()
    while true do
        local e = events:receive()
        if e.kind == process.event.EXIT and e.from == child then
            process.unlisten(answers)
            return e.result and e.result.value, e.result and e.result.error
        end
    end
end

local function check_row(how, row, pid)
    local what = how .. " " .. row[1] .. " without " .. row[2]
    local resource = row[3] == "pid" and pid or row[3]
    local words = row[5]:gsub("pid$", row[3] == "pid" and pid or "pid")
    local got, err = run(how, row, security.policy("app:deny_named"), { action = row[2], resource = resource }, pid)
    check.equal(what .. ": error", err, nil)
    if not got then return end
    if row[4] == RAISED then
        check.equal(what .. ": raised", (got.raised or tostring(got.words or got.done)):sub(-#words), words)
    else
        check.equal(what .. ": kind", got.kind, row[4])
        check.equal(what .. ": words", got.words, words)
        check.equal(what .. ": retryable", got.retryable, false)
    end
    if row[2] == "network.select" and row[4] == P then
        local d = got.details or {}
        check.equal(what .. ": details.action", d.action, "network.select")
        check.equal(what .. ": details.resource", d.resource, resource)
        check.equal(what .. ": details.actor", d.actor, "user:tester")
        check.equal(what .. ": details.policy", d.policy, "app:deny_named")
        check.equal(what .. ": details.hint", (d.hint or ""):find("policy app:deny_named denies it", 1, true), 1)
    end
    -- Another resource of that name is not meant.
    got = run(how, row, security.policy("app:deny_named"), { action = row[2], resource = resource .. "x" }, pid)
    check.equal(what .. ": another resource", got and (got.words == words or (got.raised or ""):sub(-#words) == words), false)
end

local function main(how)
    for _, row in ipairs(rows) do
        -- system.exit and terminate would do what they say when they are allowed.
        local pid = process.spawn("app:sleeper", "app:processes")
        if row[1] == "system.exit" then
            local got = run(how, row, security.policy("app:deny_named"), { action = row[2], resource = row[3] }, pid)
            check.equal("exit: kind", got.kind, row[4])
            check.equal("exit: words", got.words, row[5])
        else
            check_row(how, row, pid)
        end
        -- Checks of the process module say who asks.
        if row[2]:sub(1, 8) == "process." then
            local words = row[5]:gsub("pid$", row[3] == "pid" and pid or "pid")
            local got = run(how, row, security.policy("app:deny_named_by_pid"), { action = row[2] }, pid)
            local text = got and (got.raised or got.words) or "nothing"
            check.equal(how .. " " .. row[1] .. ": meta.pid", text:sub(-#words), words)
        end
        process.terminate(pid)
    end
    return check.over()
end

return { main = main }
