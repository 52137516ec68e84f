-- Databases and stores that come, change and go while the program runs.
local check = require("check")
local registry = require("registry")
local sql = require("sql")
local store = require("store")
local time = require("time")

local function apply(changes)
    local _, err = changes:apply()
    check.equal("applied", err and err:message(), nil)
end

local function changes() return registry.snapshot():changes() end

local function database(fields)
    local data = { file = "./second.db", lifecycle = { auto_start = true, stop_timeout = "300ms" } }
    for k, v in pairs(fields or {}) do data[k] = v end
    return { id = "app:second", kind = "db.sql.sqlite", data = data }
end

local function memory(fields)
    local data = { lifecycle = { auto_start = true } }
    for k, v in pairs(fields or {}) do data[k] = v end
    return { id = "app:more", kind = "store.memory", data = data }
end

-- Services start after the change; a closed one says so.
local function opened(id)
    local s
    for _ = 1, 100 do
        s = store.get(id)
        local _, err = s:has("x")
        if not err then break end
        time.sleep("20ms")
    end
    return s
end

local function main()
    local v, err = sql.get("app:second")
    check.equal("not there yet", v == nil and err:kind(), "NotFound")
    local t = { id = "app:second_table", kind = "store.sql",
        data = { database = "app:second", table_name = "kv", lifecycle = { auto_start = true } } }
    apply(changes():create(t):create(database()):create(memory({ max_size = 1 })))
    local db = sql.get("app:second")
    db:execute("CREATE TABLE kv (key TEXT PRIMARY KEY, value TEXT, expires_at TIMESTAMP)")
    db:execute("CREATE TABLE kv2 (key TEXT PRIMARY KEY, value TEXT, expires_at TIMESTAMP)")
    local s = opened("app:second_table")
    check.equal("used", s:set("a", 1), true)

    local m = opened("app:more")
    check.equal("one", m:set("a", 1), true)
    v, err = m:set("b", 1)
    check.equal("full", v == nil and err:message(), "store set: store is full")
    apply(changes():update(memory({ max_size = 2 })))
    check.equal("room", m:set("b", 1), true)
    check.equal("what it held stays", m:get("a"), 1)
    v, err = changes():update(memory({ max_size = -2 })):apply()
    check.equal("refused", v == nil and err ~= nil, true)
    check.equal("and still there", m:get("b"), 1)

    -- Another file counts only for a new one; the lifetime at once.
    apply(changes():update(database({ file = "./third.db", pool = { max_lifetime = "1ms" } })))
    time.sleep("10ms")
    check.equal("the same file", db:query("SELECT count(*) AS n FROM kv")[1].n, 1)
    check.equal("a new connection", db:stats().max_lifetime_closed > 0, true)

    t.data.table_name = "kv2"
    apply(changes():update(t))
    v, err = s:get("a")
    check.equal("the old one is closed", v == nil and err:message(), "store get: store is closed")
    local fresh = opened("app:second_table")
    check.equal("another table", fresh:has("a"), false)

    apply(changes():delete("app:second_table"):delete("app:second"):delete("app:more"))
    v, err = sql.get("app:second")
    check.equal("gone", v == nil and err:kind(), "NotFound")
    local said
    for _ = 1, 100 do
        v, err = db:query("SELECT 1")
        said = err and err:message()
        if said then break end
        time.sleep("20ms")
    end
    check.equal("its handles find it closed", said, "connection pool is closed")
    v, err = m:get("a")
    check.equal("the store as well", v == nil and err:message(), "store get: store is closed")

    apply(changes():create(database({ file = "./third.db" })))
    check.equal("a new one", #sql.get("app:second"):query("SELECT name FROM sqlite_master"), 0)
    return check.over()
end

return { main = main }
