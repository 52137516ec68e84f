-- Reading the body. ?timeout=, ?max_body= are options of the request, ?n= says how often to read.
local http = require("http")
local store = require("store")
local time = require("time")

local function say(err)
    return err and { kind = err:kind(), message = err:message(), retryable = err:retryable() }
end

local function request()
    local req = http.request()
    return http.request({ timeout = tonumber(req:query("timeout")), max_body = tonumber(req:query("max_body")) or req:query("max_body") })
end

local function run()
    local req, res = request(), http.response()
    local results = {}
    for i = 1, tonumber(req:query("n") or "1") do
        local body, err = req:body()
        results[i] = body and { len = #body, body = #body < 1000 and body or body:sub(-10) } or { error = say(err) }
    end
    -- Another object sees what was done.
    if req:query("other") then
        local body, err = http.request():body()
        results[#results + 1] = body and { body = body } or { error = say(err) }
    end
    if req:query("key") then
        store.get("app:notes"):set(req:query("key"), #results)
    end
    res:write_json(results)
end

local function at_once()
    local req, res = http.request(), http.response()
    local first, second
    coroutine.spawn(function()
        local body, err = req:body()
        first = body or say(err)
    end)
    local body, err = req:body()
    second = body or say(err)
    while first == nil do
        coroutine.yield()
    end
    res:write_json({ tostring(type(first)), tostring(type(second)), first, second })
end

local function as_json()
    local req, res = request(), http.response()
    local value, err = req:body_json()
    res:write_json({ type = type(value), value = value, error = say(err) })
end

-- ?piece=: how much to ask for at a time; ?pause=: and how long to wait between.
local function as_stream()
    local req, res = http.request(), http.response()
    local piece, pause = tonumber(req:query("piece")), req:query("pause")
    local s, err = req:stream()
    if not s then
        res:write_json({ error = say(err) })
        return
    end
    local notes = store.get("app:notes")
    local again, again_error = req:stream()
    local body, body_error = req:body()
    local before = s:stat()
    local total, reads, largest, sum = 0, 0, 0, 0
    while true do
        local data, read_error = s:read(piece)
        if read_error then
            if req:query("key") then
                notes:set(req:query("key"), read_error:message())
            end
            res:write_json({ error = say(read_error), total = total })
            return
        end
        if data == nil then
            break
        end
        reads, total = reads + 1, total + #data
        largest = math.max(largest, #data)
        sum = (sum * 31 + data:byte(1) + data:byte(#data)) % 1000003
        if req:query("key") then
            notes:set(req:query("key"), total)
        end
        if pause then
            time.sleep(pause)
        end
    end
    local after = s:stat()
    res:write_json({
        total = total, reads = reads, largest = largest, sum = sum, size = before.size, position = after.position,
        again = again == nil and say(again_error) or again ~= nil, body = body and "read" or say(body_error), closed = s:close(),
    })
end

-- The whole body comes back, after it was read.
local function copy()
    local req, res = http.request(), http.response()
    local body, err = req:body()
    res:write(body or err:message())
end

-- Answers first and reads then.
local function too_late()
    local req, res = http.request(), http.response()
    local s = req:stream()
    res:write(("x"):rep(5000))
    res:flush()
    local total = 0
    while true do
        local data, err = s:read()
        if data == nil then
            store.get("app:notes"):set("too-late", { total = total, error = err and err:message() or "none" })
            return
        end
        total = total + #data
    end
end

return { too_late = too_late, run = run, at_once = at_once, as_json = as_json, as_stream = as_stream, copy = copy }
