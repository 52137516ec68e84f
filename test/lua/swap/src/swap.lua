-- Everything is used while it is replaced again and again: what fails says so in a known sentence, what is asked for anew works.
local exec = require("exec")
local fs = require("fs")
local io = require("io")
local registry = require("registry")
local security = require("security")
local sql = require("sql")
local store = require("store")
local system = require("system")
local time = require("time")

local unexpected, used, refused = 0, {}, {}
local over = false

local function complain(what, err)
    unexpected = unexpected + 1
    if unexpected <= 10 then io.print("not so: " .. what .. ": " .. tostring(err)) end
end

-- Once more with `what`; an error must be one of the `known` sentences.
local function use(what, err, known)
    used[what] = (used[what] or 0) + 1
    if not err then return true end
    for _, words in ipairs(known or {}) do
        if err:message() == words then
            refused[what] = (refused[what] or 0) + 1
            return false
        end
    end
    complain(what, err)
    return false
end

local users = {}

function users.memory()
    local s = store.get("app:cache")
    while not over do
        local _, err = s:set("k", { n = 1 })
        use("store.memory", err, {})
        time.sleep("1ms")
    end
end

function users.table()
    local s = store.get("app:table")
    while not over do
        local _, err = s:set("k", { n = 1 })
        -- The old one is closed; the new one has the same id.
        if not use("store.sql", err, { "store set: store is closed" }) then s = store.get("app:table") end
        time.sleep("1ms")
    end
end

function users.database()
    local db = sql.get("app:db")
    while not over do
        local _, err = db:query("SELECT count(*) AS n FROM kv")
        use("db.sql.sqlite", err, {})
        time.sleep("1ms")
    end
end

function users.old_folder()
    local dir = fs.get("app:folder")
    while not over do
        local _, err = dir:writefile("old", "text")
        use("fs.directory, an old handle", err, {})
        time.sleep("1ms")
    end
end

function users.new_folder()
    while not over do
        local _, err = fs.get("app:folder"):readfile("greeting")
        use("fs.directory, a new handle", err, {})
        time.sleep("1ms")
    end
end

function users.executor()
    while not over do
        local p = exec.get("app:runs"):exec("env")
        local out = p:stdout_stream()
        local _, err = p:start()
        if use("exec.native", err, {}) then
            local text = out:read()
            if not string.find(text or "", "GREETING=hello", 1, true) then complain("environment", text) end
            p:wait()
        end
        time.sleep("5ms")
    end
end

function users.policy()
    local who = security.new_actor("u", { role = "reader" })
    while not over do
        local p, err = security.policy("app:may_read")
        use("security.policy", err, {})
        if p and p:evaluate(who, "doc.read", "x") ~= "allow" then complain("policy", p:evaluate(who, "doc.read", "x")) end
        local scope
        scope, err = security.named_scope("app:readers")
        use("group", err, {})
        if scope and scope:evaluate(who, "doc.read", "x") ~= "allow" then complain("group", "not allow") end
        time.sleep("1ms")
    end
end

function users.tokens()
    local who, scope = security.new_actor("u"), security.new_scope()
    local old = security.token_store("app:tokens")
    while not over do
        local token, err = old:create(who, scope)
        use("token store, an old handle", err, {})
        if token then
            local actor, _, e = security.token_store("app:tokens"):validate(token)
            use("token store, a new handle", e, {})
            if actor and actor:id() ~= "u" then complain("actor", actor:id()) end
        end
        time.sleep("1ms")
    end
end

local function replace(round)
    local c = registry.snapshot():changes()
    local odd = round % 2 == 1
    c:update({ id = "app:cache", kind = "store.memory", data = { max_size = odd and 50000 or 60000, lifecycle = { auto_start = true } } })
    c:update({ id = "app:db", kind = "db.sql.sqlite", data = { file = "./app.db", pool = { max_lifetime = odd and "1ms" or "1h" },
        lifecycle = { auto_start = true } } })
    c:update({ id = "app:table", kind = "store.sql", data = { database = "app:db", table_name = odd and "kv2" or "kv",
        lifecycle = { auto_start = true } } })
    c:update({ id = "app:folder", kind = "fs.directory", data = { directory = "./${env:FOLDER}", mode = odd and "0700" or "0755" } })
    c:update({ id = "app:runs", kind = "exec.native", data = { default_env = { GREETING = "${env:GREETING}", ROUND = tostring(round) } } })
    c:update({ id = "app:may_read", kind = "security.policy", data = { groups = { "readers" }, policy = { actions = "doc.*",
        resources = odd and "*" or { "*", "y" }, effect = "allow",
        conditions = { { field = "actor.meta.role", operator = "eq", value = "${env:ROLE}" } } } } })
    c:update({ id = "app:tokens", kind = "security.token_store", data = { store = "app:cache", token_key = "a secret",
        token_length = odd and 16 or 32 } })
    -- Every third one is bad at its end: everything stays as it is.
    if round % 3 == 0 then c:create({ id = "app:zzz", kind = "fs.directory", data = {} }) end
    local _, err = c:apply()
    if (err ~= nil) ~= (round % 3 == 0) then complain("change " .. round, err) end
end

local function main(rounds)
    local db = sql.get("app:db")
    db:execute("CREATE TABLE kv (key TEXT PRIMARY KEY, value TEXT, expires_at TIMESTAMP)")
    db:execute("CREATE TABLE kv2 (key TEXT PRIMARY KEY, value TEXT, expires_at TIMESTAMP)")
    fs.get("app:folder"):writefile("greeting", "hello")
    for _, f in pairs(users) do coroutine.spawn(f) end
    for i = 1, 10 do replace(i) end
    system.gc.collect() -- folders are given back with their handles
    io.print("warm")
    io.readline()
    for i = 1, tonumber(rounds) do
        replace(i)
        time.sleep("2ms")
    end
    system.gc.collect()
    io.print("done")
    io.readline()
    over = true
    time.sleep("50ms")
    for _, what in ipairs({ "store.memory", "store.sql", "db.sql.sqlite", "fs.directory, an old handle", "fs.directory, a new handle",
        "exec.native", "security.policy", "group", "token store, an old handle", "token store, a new handle" }) do
        if (used[what] or 0) < 3 then complain(what, "used " .. tostring(used[what]) .. " times only") end
    end
    io.print(tostring(unexpected) .. " unexpected, " .. tostring(refused["store.sql"] or 0) .. " told that the old one is closed")
    return unexpected == 0 and 0 or 1
end

return { main = main }
