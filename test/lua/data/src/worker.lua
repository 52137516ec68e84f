-- Begins a transaction, says so, and then does what it is told to.
local process = require("process")
local sql = require("sql")
local time = require("time")

local function main(parent, how)
    local db = sql.get("app:main")
    local tx = db:begin()
    tx:execute("INSERT INTO acct VALUES (?, 5)", { how })
    process.send(parent, "begun", how)
    if how == "error" then error("as asked") end
    if how == "runs" then
        tx:query("WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM c) SELECT max(n) FROM c")
    end
    if how == "waits" then time.sleep("1h") end
    return true
end

return { main = main }
