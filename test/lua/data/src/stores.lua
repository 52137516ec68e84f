-- Key-value stores: the same rows for both backends, and what is special to each.
local check = require("check")
local sql = require("sql")
local store = require("store")
local time = require("time")

local function failed(what, value, err, kind, text, retryable)
    check.equal(what .. ": value", value or nil, nil)
    check.equal(what .. ": kind", err and err:kind(), kind)
    check.equal(what .. ": text", err and err:message(), text)
    check.equal(what .. ": retryable", err and err:retryable(), retryable or false)
end

local function getting()
    check.equal("raises", pcall(function() return store.get(1 :: any) end), false)
    local v, e = store.get("")
    failed("empty", v, e, "Invalid", "resource id is required")
    v, e = store.get("app:nothing")
    failed("unknown", v, e, "Internal", "failed to acquire resource: resource not found: app:nothing")
    v, e = store.get("app:main")
    failed("another kind", v, e, "Invalid", "resource is not a store: app:main")
    check.equal("one value", select("#", store.get("app:cache")), 1)
    local s = store.get("app:cache")
    check.equal("tostring", tostring(s), "store.Store{}")
    check.equal("release", s:release(), true)
    check.equal("release again", s:release(), true)
    check.equal("tostring released", tostring(s), "store.Store{released}")
    v, e = s:get("a")
    failed("released", v, e, "Invalid", "store is released")
    v, e = s:info()
    failed("released info", v, e, "Invalid", "store is released")
    v, e = store.get("app:closed"):get("a")
    failed("closed", v, e, "Unavailable", "store get: store is closed", true)
end

local function keys(page)
    local list = {}
    for i, en in ipairs(page.items) do list[i] = en.key end
    return table.concat(list, " ")
end

-- What every backend does.
local function common(name, s)
    local function say(what) return name .. ": " .. what end
    local v, e = s:get("missing")
    failed(say("missing"), v, e, "NotFound", "store get: key not found")
    v, e = s:entry("missing")
    failed(say("missing entry"), v, e, "NotFound", "store entry: key not found")
    for _, op in ipairs({ "get", "has", "delete", "entry" }) do
        v, e = s[op](s, "")
        failed(say(op .. " of no key"), v, e, "Invalid", "key is required")
        check.equal(say(op .. " raises"), pcall(function() return s[op](s, 5 :: any) end), false)
    end
    v, e = s:set("a", nil)
    failed(say("nil"), v, e, "Invalid", "value is required")
    v, e = s:set("a", function() end)
    failed(say("a function"), v, e, "Invalid", "store set: a function cannot be stored")
    local shared = { n = 1 }
    for _, row in ipairs({
        { { call = print }, "a function cannot be stored: value.call" },
        { { shared, shared, { list = { 1, 2, function() end } } }, "a function cannot be stored: value[3].list[3]" },
        { { a = { [print] = 1 } }, "a function cannot be stored: value.a[a function]" },
        { { a = { co = coroutine.create(print) } }, "a thread cannot be stored: value.a.co" },
        { { a = { s } }, "a userdata cannot be stored: value.a[1]" },
    }) do
        v, e = s:set("a", row[1])
        failed(say(row[2]), v, e, "Invalid", "store set: " .. row[2])
        v, e = s:put("a", row[1])
        failed(say(row[2]), v, e, "Invalid", "store put: " .. row[2])
    end
    check.equal(say("nothing was stored"), s:has("a"), false)
    v, e = s:set("a", 1, -1)
    failed(say("ttl"), v, e, "Invalid", "ttl must be a non-negative number")

    local original = { n = 1, list = { 1, 2, 3 }, text = "x" }
    local ok, none = s:set("a", original)
    check.equal(say("set"), ok, true)
    check.equal(say("set without error"), none, nil)
    original.n = 2
    local got = s:get(":a")
    check.equal(say("copied"), got.n, 1)
    check.equal(say("list"), #got.list, 3)
    got.n = 3
    check.equal(say("copied again"), s:get("a").n, 1)
    check.equal(say("has"), s:has("a"), true)
    check.equal(say("has not"), s:has("b"), false)
    check.equal(say("delete"), s:delete("a"), true)
    v, e = s:delete("a")
    check.equal(say("delete of nothing"), v, false)
    check.equal(say("is no error"), e, nil)
    for _, v in ipairs({ true, false, 0, -5, 1.5, "text", "" }) do
        s:set("v", v)
        check.equal(say("value " .. tostring(v)), s:get("v"), v)
    end
    s:delete("v")

    local en = s:put("x:1", "one")
    check.equal(say("entry key"), en.key, "x:1")
    check.equal(say("entry value"), en.value, "one")
    check.equal(say("entry"), s:entry("x:1").value, "one")
    check.equal(say("version"), s:entry("x:1").version, en.version)
    v, e = s:put("x:1", 1, { only_if_absent = true, if_version = "1" })
    failed(say("both"), v, e, "Invalid", "only_if_absent and if_version are mutually exclusive")
    for _, bad in ipairs({ "0", "", "-1", "1x", 0, -1, 1.5, true, "99999999999999999999" }) do
        v, e = s:put("x:1", 1, { if_version = bad })
        failed(say("version " .. tostring(bad)), v, e, "Invalid", "if_version must be a positive version")
    end
    v, e = s:put("x:1", 1, { ttl = -1 })
    failed(say("put ttl"), v, e, "Invalid", "ttl must be a non-negative number")
    v, e = s:put("x:1", 1, { ttl = "1" })
    failed(say("put ttl text"), v, e, "Invalid", "ttl must be a non-negative number")
    v, e = s:put("x:1", 1, 5 :: any)
    failed(say("put options"), v, e, "Invalid", "options must be a table")

    s:set("x:2", 2)
    s:set("x:3", 3)
    s:set("bare", 4)
    check.equal(say("all"), keys(s:list()), ":bare x:1 x:2 x:3")
    check.equal(say("prefix"), keys(s:list({ prefix = "x:" })), "x:1 x:2 x:3")
    check.equal(say("stored form"), keys(s:list({ prefix = "bare" })), "")
    check.equal(say("stored form with colon"), keys(s:list({ prefix = ":bare" })), ":bare")
    local page = s:list({ limit = 2 })
    check.equal(say("page"), keys(page), ":bare x:1")
    check.equal(say("cursor"), page.cursor, "x:1")
    check.equal(say("more"), page.has_more, true)
    page = s:list({ limit = 2, after = page.cursor })
    check.equal(say("next page"), keys(page), "x:2 x:3")
    check.equal(say("no more"), page.has_more, false)
    page = s:list({ prefix = "x:", after = "x:1", limit = 0 })
    check.equal(say("prefix and after"), keys(page), "x:2 x:3")
    check.equal(say("after outside of the prefix"), keys(s:list({ prefix = "x:", after = ":z" })), "x:1 x:2 x:3")
    page = s:list({ prefix = "none" })
    check.equal(say("empty cursor"), page.cursor, "")
    check.equal(say("value in a list"), s:list({ prefix = "x:3" }).items[1].value, 3)
    for _, bad in ipairs({ -1, 1.5, "1" }) do
        v, e = s:list({ limit = bad })
        failed(say("limit"), v, e, "Invalid", "limit must be a non-negative integer")
    end
    v, e = s:list({ prefix = 1 })
    failed(say("prefix type"), v, e, "Invalid", "prefix must be a string")
    v, e = s:list({ after = 1 })
    failed(say("after type"), v, e, "Invalid", "after must be a string")
    v, e = s:list(5 :: any)
    failed(say("options"), v, e, "Invalid", "options must be a table")

    s:set("bare", 1, 0.4)
    check.equal(say("before its time"), s:get("bare"), 1)
    s:set("x:2", 2, 0.4)
    s:set("x:2", 2)
    s:put("x:3", 3, { ttl = 0.4 })
    time.sleep("500ms")
    v, e = s:get("bare")
    failed(say("expired"), v, e, "NotFound", "store get: key not found")
    check.equal(say("expired has"), s:has("bare"), false)
    check.equal(say("expired list"), keys(s:list()), "x:1 x:2")
    check.equal(say("expired delete"), s:delete("x:3"), false)
    for _, en in ipairs(s:list().items) do s:delete(en.key) end
end

local function in_memory()
    local s = store.get("app:cache")
    local info = s:info()
    check.equal("id", info.id, "app:cache")
    check.equal("backend", info.backend, store.backend.MEMORY)
    check.equal("consistency", info.consistency, store.consistency.LOCAL)
    check.equal("flags", (info.durable and "d" or "") .. (info.versioned and "v" or "") ..
        (info.conditional_put and "c" or "") .. (info.list and "l" or "") .. (info.ttl and "t" or ""), "vclt")
    local first = s:put("v", 1)
    local v, e = s:put("v", 2, { only_if_absent = true })
    failed("present", v, e, "AlreadyExists", "store put: key already exists")
    v, e = s:put("v", 2, { if_version = tostring(math.tointeger(first.version) + 1) })
    failed("other version", v, e, "Conflict", "store put: version mismatch", true)
    local second = s:put("v", 2, { if_version = first.version })
    check.equal("versions grow", math.tointeger(second.version) > math.tointeger(first.version), true)
    check.equal("an integer", s:put("v", 3, { if_version = math.tointeger(second.version) }).value, 3)
    v, e = s:put("w", 2, { if_version = first.version })
    failed("no such key", v, e, "NotFound", "store put: key not found")
    s:delete("v")
    check.equal("never again", math.tointeger(s:put("v", 1, { only_if_absent = true }).version) > math.tointeger(second.version), true)
    s:delete("v")
    -- Keys that are no text, holes: as between processes.
    s:set("odd", { [10] = "ten", [true] = 1, x = { y = { z = 1 } } })
    local odd = s:get("odd")
    check.equal("integer key", odd[10], "ten")
    check.equal("boolean key", odd[true], 1)
    check.equal("nested", odd.x.y.z, 1)
    s:delete("odd")

    for i = 1, 5 do s:set("full" .. i, i, i == 1 and 0.4 or nil) end
    v, e = s:set("full6", 6)
    failed("full", v, e, "Unavailable", "store set: store is full", true)
    check.equal("overwriting", s:set("full5", 55), true)
    time.sleep("500ms")
    check.equal("room again", s:set("full6", 6), true)
    v, e = s:set("full7", 7)
    failed("full again", v, e, "Unavailable", "store set: store is full", true)
    for _, en in ipairs(s:list().items) do s:delete(en.key) end

    local r = store.get("app:roomy")
    for i = 1, 1100 do r:set(string.format("k:%04d", i), i) end
    check.equal("default page", #r:list().items, 100)
    check.equal("largest page", #r:list({ limit = 5000 }).items, 1000)
    local seen, cursor, pages = 0, nil, 0
    repeat
        local page = r:list({ limit = 300, after = cursor })
        seen, cursor, pages = seen + #page.items, page.cursor, pages + 1
    until not page.has_more
    check.equal("all pages", seen, 1100)
    check.equal("number of pages", pages, 4)
end

local function in_database()
    local db = sql.get("app:main")
    local s = store.get("app:table")
    local v, e = s:get("a")
    failed("no table", v, e, "Invalid", "store get: no such table: kv")
    db:execute("CREATE TABLE kv (key TEXT PRIMARY KEY, value TEXT NOT NULL, expires_at TIMESTAMP)")
    sql.get("app:memory"):execute("CREATE TABLE other (k TEXT, v TEXT, e)")
    common("sql", s)
    common("named", store.get("app:named"))
    local info = s:info()
    check.equal("backend", info.backend, store.backend.SQL)
    check.equal("flags", (info.durable and "d" or "") .. (info.versioned and "v" or "") ..
        (info.conditional_put and "c" or "") .. (info.list and "l" or "") .. (info.ttl and "t" or ""), "dlt")
    v, e = s:put("a", 1, { only_if_absent = true })
    failed("condition", v, e, "Invalid", "store put: operation not supported by this store")
    v, e = s:put("a", 1, { if_version = 1 })
    failed("version", v, e, "Invalid", "store put: operation not supported by this store")
    check.equal("no version", s:put("a", { x = 1 }).version, "0")
    s:set("b", "later", 3600)
    local rows = db:query("SELECT key, value, typeof(expires_at) AS t FROM kv ORDER BY key")
    check.equal("as JSON", rows[1].value, '{"x":1}')
    check.equal("stored key", rows[1].key, ":a")
    check.equal("no expiry", rows[1].t, "null")
    check.equal("a time", rows[2].t, "text")
    -- What somebody else has put there.
    db:execute("INSERT INTO kv VALUES (':foreign', 'not JSON', NULL)")
    v, e = s:get("foreign")
    check.equal("not JSON", v == nil and e:kind(), "Internal")
    -- Cleaned by the service.
    local n = store.get("app:named")
    n:set("gone", 1, 0.01)
    local left
    for _ = 1, 100 do
        time.sleep("50ms")
        left = #sql.get("app:memory"):query("SELECT * FROM other")
        if left == 0 then break end
    end
    check.equal("cleaned", left, 0)
    -- A transaction of the same process holds the database.
    local tx = db:begin()
    coroutine.spawn(function() time.sleep("30ms") tx:rollback() end)
    check.equal("waits for its turn", s:has("a"), true)
end

local function main()
    getting()
    common("memory", store.get("app:cache"))
    in_memory()
    in_database()
    return check.over()
end

return { main = main }
