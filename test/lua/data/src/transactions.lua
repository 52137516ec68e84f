-- Transactions: their states, what they own, what becomes of one whose process ends.
local channel = require("channel")
local check = require("check")
local funcs = require("funcs")
local process = require("process")
local sql = require("sql")
local time = require("time")

local function failed(what, value, err, kind, text)
    check.equal(what .. ": value", value, nil)
    check.equal(what .. ": kind", err and err:kind(), kind)
    check.equal(what .. ": text", err and err:message(), text)
end

local function count(db)
    return db:query("SELECT count(*) AS n FROM acct")[1].n
end

local function states(db)
    local tx, err = db:begin()
    check.equal("begin", err, nil)
    check.equal("type", tx:db_type(), "sqlite")
    check.equal("execute", tx:execute("INSERT INTO acct VALUES ('a', 10)").rows_affected, 1)
    local v, e = tx:execute("INSERT INTO acct VALUES ('a', 11)")
    failed("unique", v, e, "", "UNIQUE constraint failed: acct.id")
    check.equal("a failure does not end it", tx:query("SELECT bal FROM acct WHERE id = 'a'")[1].bal, 10)
    check.equal("commit", tx:commit(), true)
    for _, call in ipairs({
        function() return tx:commit() end,
        function() return tx:rollback() end,
        function() return tx:query("SELECT 1") end,
        function() return tx:execute("SELECT 1") end,
        function() return tx:prepare("SELECT 1") end,
        function() return tx:savepoint("x") end,
        function() return tx:rollback_to("x") end,
        function() return tx:release("x") end,
        function() return tx:db_type() end,
    }) do
        v, e = call()
        failed("inactive", v, e, "Invalid", "transaction is not active")
    end
    tx = db:begin({ isolation = sql.isolation.SERIALIZABLE, read_only = true })
    tx:execute("INSERT INTO acct VALUES ('b', 10)")
    check.equal("rollback", tx:rollback(), true)
    check.equal("rolled back", count(db), 1)
    v, e = db:begin({ isolation = "x" })
    failed("isolation", v, e, "Invalid", "invalid isolation level: x")
    tx = db:begin({ isolation = 5, read_only = "yes" })
    check.equal("other types are ignored", tx:rollback(), true)
end

local function savepoints(db)
    local tx = db:begin()
    check.equal("savepoint", tx:savepoint("one"), true)
    tx:execute("INSERT INTO acct VALUES ('c', 1)")
    check.equal("digits first", tx:savepoint("2nd_select"), true)
    tx:execute("INSERT INTO acct VALUES ('d', 1)")
    check.equal("rollback_to", tx:rollback_to("2nd_select"), true)
    check.equal("release", tx:release("one"), true)
    local v, e = tx:savepoint("")
    failed("empty", v, e, "Invalid", "savepoint name is required")
    v, e = tx:savepoint("a b")
    failed("characters", v, e, "Invalid", "savepoint name can only contain alphanumeric characters and underscores")
    v, e = tx:release("unknown")
    failed("unknown", v, e, "Invalid", "no such savepoint: unknown")
    local st = tx:prepare("INSERT INTO acct VALUES (?, 1)")
    check.equal("prepared in it", st:execute({ "e" }).rows_affected, 1)
    tx:commit()
    v, e = st:execute({ "f" })
    failed("dies with it", v, e, "Invalid", "statement is closed")
    check.equal("what is left", count(db), 3)
end

-- Statements outside wait, in their order, and only their coroutines do.
local function owning(db)
    local tx = db:begin()
    local order = {}
    local done = channel.new(2)
    coroutine.spawn(function()
        db:execute("INSERT INTO acct VALUES ('outside', 1)")
        order[#order + 1] = "outside"
        done:send(true)
    end)
    coroutine.spawn(function()
        local other = sql.get("app:main"):begin()
        order[#order + 1] = "second"
        other:rollback()
        done:send(true)
    end)
    time.sleep("50ms")
    check.equal("they wait", #order, 0)
    tx:execute("INSERT INTO acct VALUES ('inside', 1)")
    order[#order + 1] = "inside"
    check.equal("in use", db:stats().in_use, 1)
    tx:commit()
    done:receive()
    done:receive()
    check.equal("order", table.concat(order, " "), "inside outside second")
    check.equal("idle", db:stats().idle, 1)
    check.equal("they waited", db:stats().wait_count > 0, true)
    db:execute("DELETE FROM acct WHERE id IN ('inside', 'outside')")
end

-- A BEGIN in a text does not outlive it: nobody else's statements hang on it.
local function stray(db)
    local said = "the SQL text began a transaction and did not end it, so it was rolled back: use db:begin()"
    local v, e = db:execute("BEGIN")
    failed("stray BEGIN", v, e, "Invalid", said)
    local st = db:prepare("BEGIN IMMEDIATE")
    v, e = st:execute()
    failed("prepared BEGIN", v, e, "Invalid", said)
    v, e = db:execute("COMMIT")
    failed("nothing to commit", v, e, "Invalid", "cannot commit - no transaction is active")
    v = db:execute("BEGIN; INSERT INTO acct VALUES ('whole', 1); DELETE FROM acct WHERE id = 'whole'; COMMIT")
    check.equal("ended in the same text", type(v), "table")
    local tx = db:begin()
    check.equal("a COMMIT of one's own", type(tx:execute("COMMIT")), "table")
    v, e = tx:execute("INSERT INTO acct VALUES ('late', 1)")
    failed("after it", v, e, "Invalid", "this transaction has ended, after an error or by a COMMIT or ROLLBACK in its SQL: "
        .. "call tx:rollback() and begin another")
    check.equal("tx:rollback()", tx:rollback(), true)
    check.equal("nothing is left", db:query("SELECT count(*) AS n FROM acct WHERE id IN ('whole', 'late')")[1].n, 0)
end

local function ending(db)
    local begun = process.listen("begun")
    local before = count(db)
    for _, how in ipairs({ "returns", "error", "waits", "runs" }) do
        local pid = process.spawn("app:worker", "app:processes", process.pid(), how)
        begun:receive()
        if how == "waits" or how == "runs" then
            time.sleep("20ms")
            process.terminate(pid)
        end
        check.equal(how .. ": rolled back", count(db), before)
    end
    check.equal("call", funcs.call("app:leaves_open"), "left")
    check.equal("call: rolled back", count(db), before)
end

local function main()
    local db = sql.get("app:main")
    db:execute("CREATE TABLE acct (id TEXT PRIMARY KEY, bal INTEGER)")
    states(db)
    savepoints(db)
    owning(db)
    stray(db)
    ending(db)
    return check.over()
end

return { main = main }
