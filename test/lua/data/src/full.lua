-- Fills the disk, then uses what is left of the database.
local io = require("io")
local sql = require("sql")

local function main()
    local db = sql.get("app:main")
    db:execute("CREATE TABLE t (n INTEGER PRIMARY KEY, pad BLOB)")
    local n = 0
    local r, err
    repeat
        r, err = db:execute("INSERT INTO t VALUES (?, zeroblob(50000))", { n + 1 })
        if r then n = n + 1 end
    until err
    io.print(tostring(n))
    io.print(err:kind() .. " " .. tostring(err:retryable()) .. " " .. err:message())
    local tx = db:begin()
    repeat r, err = tx:execute("INSERT INTO t (pad) VALUES (zeroblob(500000))") until err
    io.print("in a transaction: " .. err:kind())
    io.print("rollback: " .. tostring(tx:rollback()))
    local rows, why = db:query("SELECT count(*) AS c, max(n) AS m FROM t")
    if why then io.print(why:message()) return 1 end
    io.print(tostring(rows[1].c) .. " " .. tostring(rows[1].m))
    return 0
end

return { main = main }
