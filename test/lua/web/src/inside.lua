-- Who sees the request: this call and its coroutines, nobody else.
local funcs = require("funcs")
local http = require("http")
local store = require("store")
local time = require("time")

local function say(err)
    return err and { kind = err:kind(), message = err:message(), retryable = err:retryable() } or "none"
end

local at_load, at_load_error = http.request()
local response_at_load, response_at_load_error = http.response()

local function run()
    local res = http.response()
    if http.request():query("inner") then
        res:write("never reached by a nested call")
        return
    end
    local in_coroutine = channel.new(1)
    coroutine.spawn(function()
        local req = http.request()
        in_coroutine:send(req and req:path() or "none")
    end)
    local nested, nested_error = funcs.call("app:kept")
    store.get("app:notes"):delete("spawned")
    process.spawn("app:spawned", "app:processes")
    local spawned
    for _ = 1, 500 do
        spawned = store.get("app:notes"):get("spawned")
        if spawned then
            break
        end
        time.sleep("10ms")
    end
    res:write_json({
        at_load = { tostring(at_load), say(at_load_error), tostring(response_at_load), say(response_at_load_error) },
        coroutine = in_coroutine:receive(),
        nested = nested,
        nested_error = say(nested_error),
        spawned = spawned,
        options_refused = not pcall(function() http.request(nil) end) and not pcall(function() http.request(1) end),
        options_ignored = http.request({ timeout = "x", max_body = -1 }) ~= nil,
    })
end

-- An object that was kept from the last request of this instance.
local last

local function kept()
    local req, err = http.request()
    if not req then
        local _, response_error = http.response()
        return { say(err), say(response_error) }
    end
    local res = http.response()
    local old = {}
    if last then
        local path, path_error = last.req:path()
        old = {
            path = tostring(path), path_error = say(path_error), body = say(select(2, last.req:body())),
            write = say(last.res:write("by mistake")), status = say(last.res:set_status(500)), text = tostring(last.req),
        }
    end
    last = { req = req, res = res }
    res:write_json({ path = req:path(), old = old })
end

local function constants()
    local refused = {}
    for _, name in ipairs({ "METHOD", "STATUS", "CONTENT", "TRANSFER", "ERROR" }) do
        refused[name] = not pcall(function() (http :: any)[name].NEW = 1 end)
    end
    http.response():write_json({
        METHOD = http.METHOD, STATUS = http.STATUS, CONTENT = http.CONTENT, TRANSFER = http.TRANSFER, ERROR = http.ERROR,
        refused = refused, module = not pcall(function() (http :: any).new = 1 end),
    })
end

return { run = run, kept = kept, constants = constants }
