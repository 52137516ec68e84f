-- What is bound and what comes back, value by value.
local check = require("check")
local sql = require("sql")

local function main()
    local db = sql.get("app:memory")
    local function typed(v)
        local row = db:query("SELECT typeof(?1) AS t, ?1 AS v", { v })[1]
        return row.t, row.v
    end
    local function shows(what, v, want_type, want)
        local t, got = typed(v)
        check.equal(what .. ": type", t, want_type)
        check.equal(what, got, want)
    end
    shows("true", true, "integer", 1)
    shows("false", false, "integer", 0)
    shows("integer", 9007199254740993, "integer", 9007199254740993)
    shows("float", 1.5, "real", 1.5)
    shows("text", "a\0b", "text", "a\0b")
    shows("NULL", sql.NULL, "null", nil)
    shows("as.null", sql.as.null(), "null", nil)
    shows("as.int", sql.as.int(3.9), "integer", 3)
    shows("as.int below zero", sql.as.int(-3.9), "integer", -3)
    shows("as.int of text", sql.as.int("5" :: any), "integer", 0)
    shows("as.float", sql.as.float(1), "real", 1.0)
    shows("as.float of text", sql.as.float("x" :: any), "real", 0.0)
    shows("as.text", sql.as.text("x"), "text", "x")
    shows("as.text of a number", sql.as.text(5 :: any), "text", "5")
    shows("as.text of a table", sql.as.text({} :: any), "text", "")
    shows("as.binary", sql.as.binary("a\0\255"), "blob", "a\0\255")
    shows("as.binary of a number", sql.as.binary(5 :: any), "null", nil)
    shows("a table", {} :: any, "null", nil)
    shows("a function", main :: any, "null", nil)

    local row = db:query("SELECT ? AS a, ? AS b, ? AS c", { 1, nil, 3 })[1]
    check.equal("hole before", row.a, 1)
    check.equal("hole", row.b, nil)
    check.equal("hole after", row.c, 3)
    row = db:query("SELECT ? AS a, ? AS b", { "x", sql.NULL, name = "ignored" })[1]
    check.equal("names are ignored", row.a, "x")
    local fields = 0
    for _ in pairs(row) do fields = fields + 1 end
    check.equal("NULL is absent", fields, 1)
    check.equal("numbered", db:query("SELECT ?2 AS a", { 1, 2 })[1].a, 2)
    check.equal("math type", math.type(db:query("SELECT 2.0 AS f")[1].f), "float")
    check.equal("integer type", math.type(db:query("SELECT 2 AS i")[1].i), "integer")

    db:execute("CREATE TABLE t (b BOOLEAN, d Date, dt DATETIME, ts timestamp, n)")
    db:execute("INSERT INTO t VALUES (?, ?, ?, ?, ?)", { true, "2024-06-15", "2024-06-15 14:30:45.25+02:00", 1718461845, 1 })
    db:execute("INSERT INTO t VALUES (?, ?, ?, ?, ?)", { 0, "soon", "2024-06-15T14:30Z", 1718461845123, "x" })
    db:execute("INSERT INTO t VALUES (7, NULL, '', -1, 2.5)")
    local rows = db:query("SELECT *, ts + 0 AS plain FROM t ORDER BY rowid")
    check.equal("boolean", rows[1].b, true)
    check.equal("date", rows[1].d, "2024-06-15T00:00:00Z")
    check.equal("zone", rows[1].dt, "2024-06-15T12:30:45Z")
    check.equal("seconds", rows[1].ts, "2024-06-15T14:30:45Z")
    check.equal("an expression has no type", rows[1].plain, 1718461845)
    check.equal("not true", rows[2].b, false)
    check.equal("unreadable", rows[2].d, "0001-01-01T00:00:00Z")
    check.equal("no seconds", rows[2].dt, "2024-06-15T14:30:00Z")
    check.equal("milliseconds", rows[2].ts, "2024-06-15T14:30:45Z")
    check.equal("above zero", rows[3].b, true)
    check.equal("no date", rows[3].d, nil)
    check.equal("empty", rows[3].dt, "0001-01-01T00:00:00Z")
    check.equal("before 1970", rows[3].ts, "1969-12-31T23:59:59Z")

    -- The lifetime of its connection is over long ago.
    check.equal("memory is kept", #sql.get("app:memory"):query("SELECT 1 FROM t"), 3)
    local names = {}
    for k, v in pairs(sql.isolation) do names[#names + 1] = k .. "=" .. v end
    table.sort(names)
    check.equal("isolation", table.concat(names, " "), "DEFAULT=default READ_COMMITTED=read_committed " ..
        "READ_UNCOMMITTED=read_uncommitted REPEATABLE_READ=repeatable_read SERIALIZABLE=serializable " ..
        "WRITE_COMMITTED=write_committed")
    names = {}
    for k, v in pairs(sql.type) do names[#names + 1] = k .. "=" .. v end
    table.sort(names)
    check.equal("types", table.concat(names, " "), "MYSQL=mysql POSTGRES=postgres SQLITE=sqlite UNKNOWN=unknown")
    return check.over()
end

return { main = main }
