-- Ask for a URL, after having walked some edges: {"call"}, {"spawn"}, {"call", "network id"}. Gives what came of it.
local funcs = require("funcs")
local http_client = require("http_client")
local process = require("process")

local function failed(what, err)
    return { at = what, kind = err:kind(), words = err:message(), details = err:details() }
end

local main

local function ask(url, network)
    local resp, err = http_client.get(url, { timeout = "10s", overlay_network = network })
    if err then return failed("request", err) end
    return { status = resp.status_code }
end

local function walk(way, at, url)
    local edge = way[at]
    if not edge then return ask(url) end
    local by, network = edge[1], edge[2]
    if by == "request" then return ask(url, network) end
    if by == "call" then
        local f, err = funcs.new(), nil
        if network then
            f, err = f:with_options({ network = network })
            if not f then return failed("options", err) end
        end
        local value, why = f:call("app:walk", way, at + 1, url)
        return value or failed("call", why)
    end
    local ch = process.listen("done-" .. at)
    local ok, spawner = pcall(process.with_options, network and { network = network } or {})
    if not ok then
        process.unlisten(ch)
        return { at = "spawner", raised = tostring(spawner) }
    end
    local pid, err = spawner:spawn("app:walk_p", "app:processes", way, at + 1, url, process.pid(), "done-" .. at)
    if err then return failed("spawn", err) end
    local value = ch:receive()
    process.unlisten(ch)
    return value
end

main = function(way, at, url, to, topic)
    local value = walk(way, at, url)
    if topic then process.send(to, topic, value) end
    return value
end

return { main = main }
