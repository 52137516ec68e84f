-- The query builder: text and values of each method, and running what was built.
local check = require("check")
local sql = require("sql")

local b = sql.builder

local function shown(v)
    if v == sql.NULL then return "NULL" end
    return tostring(v)
end

-- "text | value value"
local function shows(what, built, want)
    local text, args = built:to_sql()
    if text == nil then
        check.equal(what, args:kind() .. ": " .. args:message(), want)
        return
    end
    local parts = {}
    for i, v in ipairs(args) do parts[i] = shown(v) end
    if #parts > 0 then text = text .. " | " .. table.concat(parts, " ") end
    check.equal(what, text, want)
end

local function fragments()
    shows("expr", b.expr("a > ? AND b < ?", 1, 2), "a > ? AND b < ? | 1 2")
    shows("eq", b.eq({ b = 2, a = "x", c = sql.NULL }), "a = ? AND b = ? AND c IS NULL | x 2")
    shows("a table is NULL", b.eq({ id = { 1, 2 } }), "id IS NULL")
    shows("not_eq", b.not_eq({ a = 1, b = sql.NULL }), "a <> ? AND b IS NOT NULL | 1")
    shows("lt", b.lt({ a = 1 }), "a < ? | 1")
    shows("lte", b.lte({ a = 1 }), "a <= ? | 1")
    shows("gt", b.gt({ a = 1 }), "a > ? | 1")
    shows("gte", b.gte({ a = 1 }), "a >= ? | 1")
    shows("like", b.like({ a = "x%" }), "a LIKE ? | x%")
    shows("not_like", b.not_like({ a = "x%" }), "a NOT LIKE ? | x%")
    shows("lt NULL", b.lt({ a = sql.NULL }), "Invalid: cannot use null with less than or greater than operators")
    shows("like NULL", b.like({ a = sql.NULL }), "Invalid: cannot use null with like operators")
    shows("and_", b.and_({ b.gt({ a = 1 }), { c = 2 }, b.expr("d IS NULL") }), "(a > ? AND c = ? AND d IS NULL) | 1 2")
    shows("or_", b.or_({ { a = 1 }, b.and_({ { b = 2 }, { c = 3 } }) }), "(a = ? OR (b = ? AND c = ?)) | 1 2 3")
    shows("no and_", b.and_({}), "(1=1)")
    shows("no or_", b.or_({}), "(1=0)")
    check.equal("tostring", tostring(b.eq({ a = 1 })), "a = ?")
end

local function statements()
    local base = b.select("id", "name"):from("t")
    shows("select", base, "SELECT id, name FROM t")
    local q = base:columns("age"):distinct():join("u ON u.id = t.u AND u.x = ?", 1):left_join("v USING (id)")
        :right_join("w USING (id)"):inner_join("x USING (id)"):where("a = ?", 2):where({ c = 3 })
        :where(b.or_({ { d = 4 }, { e = 5 } })):group_by("a", "b"):having("count(*) > ?", 6):order_by("a DESC", "b")
        :limit(10):offset(5):suffix("FOR UPDATE")
    shows("all of select", q, "SELECT DISTINCT id, name, age FROM t JOIN u ON u.id = t.u AND u.x = ? LEFT JOIN v USING (id) " ..
        "RIGHT JOIN w USING (id) INNER JOIN x USING (id) WHERE a = ? AND c = ? AND (d = ? OR e = ?) GROUP BY a, b " ..
        "HAVING count(*) > ? ORDER BY a DESC, b LIMIT 10 OFFSET 5 FOR UPDATE | 1 2 3 4 5 6")
    shows("immutable", base, "SELECT id, name FROM t")
    shows("negative", base:limit(-1):offset(-2), "SELECT id, name FROM t LIMIT 0 OFFSET 0")
    shows("no column", b.select():from("t"), "Invalid: select statements must have at least one result column")

    shows("insert", b.insert("t"):columns("a", "b"):values(1, sql.NULL):values("x", b.expr("lower(?)", "Y")),
        "INSERT INTO t (a,b) VALUES (?,?),(?,lower(?)) | 1 NULL x Y")
    shows("into", b.insert():into("t"):options("OR", "IGNORE"):set_map({ b = 2, a = 1 }):prefix("WITH x AS (SELECT ?)", 0)
        :suffix("RETURNING a"), "WITH x AS (SELECT ?) INSERT OR IGNORE INTO t (a,b) VALUES (?,?) RETURNING a | 0 1 2")
    shows("insert select", b.insert("t"):columns("a"):select(b.select("x"):from("u"):where("y = ?", 1)),
        "INSERT INTO t (a) SELECT x FROM u WHERE y = ? | 1")
    shows("no table", b.insert():values(1), "Invalid: insert statements must specify a table")
    shows("no values", b.insert("t"), "Invalid: insert statements must have at least one set of values or select clause")

    shows("update", b.update("t"):set("a", 1):set("n", b.expr("n + ?", 2)):set_map({ z = 4, y = 3, x = b.expr("1") })
        :where("id = ?", 5):order_by("id"):limit(1):offset(0):suffix("RETURNING id"),
        "UPDATE t SET a = ?, n = n + ?, x = ?, y = ?, z = ? WHERE id = ? ORDER BY id LIMIT 1 OFFSET 0 RETURNING id" ..
        " | 1 2 NULL 3 4 5")
    shows("from_select", b.update():table("t"):set("a", b.expr("s.a")):from_select(b.select("a"):from("u"):where({ k = 1 }), "s"),
        "UPDATE t SET a = s.a FROM (SELECT a FROM u WHERE k = ?) AS s | 1")
    shows("from", b.update("t"):set("a", 1):from("u"), "UPDATE t SET a = ? FROM u | 1")
    shows("update no table", b.update():set("a", 1), "Invalid: update statements must specify a table")
    shows("update no set", b.update("t"), "Invalid: update statements must have at least one Set clause")

    shows("delete", b.delete("t"):where(b.lt({ a = 1 })):order_by("a"):limit(2), "DELETE FROM t WHERE a < ? ORDER BY a LIMIT 2 | 1")
    shows("delete from", b.delete():from("t"), "DELETE FROM t")
    shows("delete no table", b.delete(), "Invalid: delete statements must specify a From table")
    check.equal("tostring", tostring(b.delete("t"):where("a = ?", 1)), "DELETE FROM t WHERE a = ?")

    shows("dollar", b.select("*"):where("a = ? AND b ?? c", 1):where("d = ?", 2):placeholder_format(b.dollar),
        "SELECT * WHERE a = $1 AND b ? c AND d = $2 | 1 2")
    shows("at", b.select("*"):where("a = ?", 1):placeholder_format(b.at), "SELECT * WHERE a = @p1 | 1")
    shows("colon", b.select("*"):where("a = ?", 1):placeholder_format(b.colon), "SELECT * WHERE a = :1 | 1")
    shows("question", b.select("*"):where("a = ?", 1):placeholder_format(b.question), "SELECT * WHERE a = ? | 1")
    check.equal("default", b.default_placeholder, b.question)
end

local function running()
    local db = sql.get("app:memory")
    db:execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a, b)")
    local ex = b.insert("t"):columns("a", "b"):values(1, "x"):values(2, sql.as.binary("y")):run_with(db)
    check.equal("executor", (ex:to_sql()), "INSERT INTO t (a,b) VALUES (?,?),(?,?)")
    check.equal("exec", ex:exec().rows_affected, 2)
    local rows = b.select("b"):from("t"):where({ a = 2 }):run_with(db):query()
    check.equal("query", rows[1].b, "y")
    rows = b.select("typeof(b) AS t"):from("t"):where("a = ?", 2):placeholder_format(b.dollar):run_with(db):query()
    check.equal("numbered", rows[1].t, "blob")
    local tx = db:begin()
    b.update("t"):set("a", 9):run_with(tx):exec()
    tx:rollback()
    check.equal("rolled back", #b.select("*"):from("t"):where("a = 9"):run_with(db):query(), 0)
    local v, err = b.select("*"):from("t"):run_with(tx):query()
    check.equal("transaction over", v == nil and err:message(), "transaction is not active")
    v, err = b.select():run_with(db):query()
    check.equal("cannot be built", v == nil and err:message(), "select statements must have at least one result column")
    check.equal("raises", pcall(function() return b.select("*"):run_with(5 :: any) end), false)
end

local function main()
    fragments()
    statements()
    running()
    return check.over()
end

return { main = main }
