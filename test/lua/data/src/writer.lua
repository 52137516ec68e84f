-- Writes for ever; says each number once its write was acknowledged.
local io = require("io")
local sql = require("sql")
local store = require("store")

local function main(how)
    local db = sql.get("app:main")
    db:execute("CREATE TABLE IF NOT EXISTS seen (n INTEGER PRIMARY KEY, half INTEGER)")
    db:execute("CREATE TABLE IF NOT EXISTS kv (key TEXT PRIMARY KEY, value TEXT NOT NULL, expires_at TIMESTAMP)")
    local s = store.get("app:table")
    local n = db:query("SELECT coalesce(max(n), 0) AS n FROM seen")[1].n
    while true do
        n = n + 1
        if how == "store" then
            local ok, err = s:set("n:" .. n, { n = n, text = string.rep("x", 500) })
            if not ok then error(err) end
            db:execute("INSERT INTO seen VALUES (?, 1)", { n })
        else
            -- Both halves or none.
            local tx = db:begin()
            tx:execute("INSERT INTO seen VALUES (?, 0)", { n })
            tx:execute("UPDATE seen SET half = 1 WHERE n = ?", { n })
            local ok, err = tx:commit()
            if not ok then error(err) end
        end
        io.print(tostring(n))
    end
end

return { main = main }
