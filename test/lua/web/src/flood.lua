-- Writing to clients that are slow, or leave.
local http = require("http")
local store = require("store")
local time = require("time")

-- ?n= pieces of ?size= bytes; how many were written is noted under ?key=, and the error that ended it.
local function run()
    local req, res = http.request(), http.response()
    local notes, key = store.get("app:notes"), req:query("key")
    local piece = ("0123456789abcdef"):rep(tonumber(req:query("size")) // 16)
    for i = 1, tonumber(req:query("n")) do
        local err = res:write(piece)
        notes:set(key, err and err:message() or i)
        if err then
            return
        end
    end
    notes:set(key, "all")
end

-- An event every 10 ms until the client leaves.
local function ticks()
    local req, res = http.request(), http.response()
    local notes, key = store.get("app:notes"), req:query("key")
    for i = 1, 100000 do
        local err = res:write_event({ name = "tick", data = { n = i, text = "a\nb" } })
        notes:set(key, err and err:message() or i)
        if err then
            return
        end
        time.sleep("10ms")
    end
end

-- Waits without writing; counts.
local function waits()
    local req = http.request()
    local notes, key = store.get("app:notes"), req:query("key")
    for i = 1, 1000 do
        notes:set(key, i)
        time.sleep("10ms")
    end
    http.response():write("done")
end

-- First a part, the rest when ?pause= is over.
local function late()
    local req, res = http.request(), http.response()
    res:write("first\n")
    if req:query("flush") then
        res:flush()
    end
    time.sleep(req:query("pause") or "300ms")
    res:write("second\n")
end

return { run = run, ticks = ticks, waits = waits, late = late }
