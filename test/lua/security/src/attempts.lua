-- One attempt at something that a policy may forbid, by name. Gives {done = text} or {kind, words, details} or {raised}.
local env = require("env")
local events = require("events")
local funcs = require("funcs")
local http_client = require("http_client")
local pg = require("pg")
local process = require("process")
local security = require("security")
local system = require("system")

local attempts = {}

attempts["funcs.call"] = function() return funcs.call("app:nothing", 1) end
attempts["funcs.async"] = function() return funcs.async("app:nothing", 1) end
attempts["executor call"] = function() return funcs.new():call("app:nothing", 1) end
attempts["executor async"] = function() return funcs.new():async("app:nothing", 1) end
attempts["funcs context"] = function() return funcs.new():with_context({ a = 1 }) end
attempts["funcs actor"] = function() return funcs.new():with_actor(security.actor()) end
attempts["funcs scope"] = function() return funcs.new():with_scope(security.scope()) end
attempts["funcs network"] = function() return funcs.new():with_options({ network = "app:proxy" }) end
attempts["funcs direct"] = function() return funcs.new():with_options({ network = "direct" }) end
attempts["funcs clear"] = function() return funcs.new():with_options({ network = "" }) end
attempts["funcs options"] = function() return funcs.new():with_options({ timeout = 1 }) end

attempts["http network"] = function(url) return http_client.get(url, { overlay_network = "app:proxy" }) end
attempts["http direct"] = function(url) return http_client.get(url, { overlay_network = "direct" }) end
attempts["http stream network"] = function(url) return http_client.get(url, { overlay_network = "app:proxy", stream = true }) end
attempts["http batch network"] = function(url)
    return http_client.request_batch({ { "GET", url }, { "GET", url, { overlay_network = "app:proxy" } } })
end
attempts["http.request"] = function(url) return http_client.post(url, { body = "x" }) end
attempts["http private"] = function() return http_client.get("http://10.1.2.3:9/") end
attempts["http private 6"] = function() return http_client.get("http://[::1]:9/") end
attempts["http private overlay"] = function()
    return http_client.get("http://10.1.2.3:9/", { overlay_network = "app:proxy" })
end
attempts["http private name"] = function() return http_client.get("http://localhost:9/") end
attempts["http socket"] = function() return http_client.get("http://x/", { unix_socket = "/nowhere.sock" }) end
attempts["http insecure"] = function(url) return http_client.get(url, { tls = { insecure_skip_verify = true } }) end

attempts["spawn"] = function() return process.spawn("app:sleeper", "app:processes") end
attempts["spawn_monitored"] = function() return process.spawn_monitored("app:sleeper", "app:processes") end
attempts["spawn_linked"] = function() return process.spawn_linked("app:sleeper", "app:processes") end
attempts["spawn_linked_monitored"] = function() return process.spawn_linked_monitored("app:sleeper", "app:processes") end
attempts["exec"] = function() return process.exec("app:who_p", "app:processes") end
attempts["with_context"] = function() return process.with_context({ a = 1 }) end
attempts["with_options"] = function() return process.with_options({ a = 1 }) end
attempts["spawner network"] = function() return process.with_options({ network = "app:proxy" }) end
attempts["spawner direct"] = function() return process.with_options({ network = "direct" }) end
attempts["spawner clear"] = function() return process.with_options({ network = "" }) end
attempts["spawner later network"] = function() return process.with_context({}):with_options({ network = "app:proxy" }) end
attempts["spawner actor"] = function() return process.with_context({}):with_actor(security.actor()) end
attempts["spawner scope"] = function() return process.with_context({}):with_scope(security.scope()) end
attempts["spawner spawn"] = function() return process.with_context({}):spawn("app:sleeper", "app:processes") end
attempts["spawner spawn_monitored"] = function()
    return process.with_context({}):spawn_monitored("app:sleeper", "app:processes")
end
attempts["spawner spawn_linked"] = function() return process.with_context({}):spawn_linked("app:sleeper", "app:processes") end
attempts["send"] = function(pid) return process.send(pid, "topic", 1) end
attempts["cancel"] = function(pid) return process.cancel(pid) end
attempts["terminate"] = function(pid) return process.terminate(pid) end
attempts["monitor"] = function(pid) return process.monitor(pid) end
attempts["unmonitor"] = function(pid) return process.unmonitor(pid) end
attempts["link"] = function(pid) return process.link(pid) end
attempts["unlink"] = function(pid) return process.unlink(pid) end
attempts["register"] = function() return process.registry.register("a name") end
attempts["unregister"] = function() return process.registry.unregister("a name") end
attempts["register eventual"] = function() return process.registry.register("a name", nil, process.registry.EVENTUAL) end
attempts["register consistent"] = function() return process.registry.register("a name", nil, process.registry.CONSISTENT) end
attempts["unregister strong"] = function() return process.registry.unregister("a name", process.registry.STRONG) end
attempts["register foreign"] = function(pid) return process.registry.register("another name", pid) end

attempts["env.get"] = function() return env.get("A_VARIABLE") end
attempts["env.set"] = function() return env.set("A_VARIABLE", "x") end
attempts["events.subscribe"] = function() return events.subscribe("ord*") end
attempts["events.send"] = function() return events.send("orders", "created", "p") end
attempts["system.exit"] = function() return system.exit(9) end
attempts["system.cwd"] = function() return system.process.cwd() end
attempts["system.gc"] = function() return system.gc.collect() end
attempts["system.max_procs"] = function() return system.runtime.max_procs(2) end
attempts["pg.open"] = function() return pg.open("app:scope") end

attempts["policy"] = function() return security.policy("app:allow_all") end
attempts["named_scope"] = function() return security.named_scope("app:untrusted") end
attempts["new_scope"] = function() return security.new_scope() end
attempts["scope with"] = function() return security.scope():with(security.policy("app:only_admins")) end
attempts["scope without"] = function() return security.scope():without("app:only_admins") end
attempts["new_actor"] = function() return security.new_actor("user:1") end

attempts["token_store"] = function() return security.token_store("app:plain_tokens") end
attempts["token create"] = function()
    return security.token_store("app:plain_tokens"):create(security.actor(), security.scope())
end
attempts["token validate"] = function()
    local _, _, err = security.token_store("app:plain_tokens"):validate("some-token")
    return nil, err
end
attempts["token revoke"] = function() return security.token_store("app:plain_tokens"):revoke("some-token") end

local function attempt(name, ...)
    local fn = attempts[name]
    if not fn then return { unknown = name } end
    local ok, value, err = pcall(fn, ...)
    if not ok then return { raised = tostring(value) } end
    if type(err) == "table" then return { done = "a batch" } end
    if err then
        return { kind = err:kind(), words = err:message(), retryable = err:retryable(), details = err:details() }
    end
    return { done = tostring(value) }
end

return { attempt = attempt }
