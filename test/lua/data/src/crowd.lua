-- Many coroutines move money at once; the sum stays.
local channel = require("channel")
local check = require("check")
local sql = require("sql")

local ACCOUNTS, COROUTINES, ROUNDS = 10, 20, 25

local function transfer(db, from, to, amount)
    local tx = db:begin()
    local r = tx:execute("UPDATE acct SET bal = bal - ? WHERE id = ? AND bal >= ?", { amount, from, amount })
    if r.rows_affected ~= 1 then tx:rollback() return false end
    tx:execute("UPDATE acct SET bal = bal + ? WHERE id = ?", { amount, to })
    return tx:commit()
end

local function main()
    local db = sql.get("app:main")
    db:execute("CREATE TABLE acct (id INTEGER PRIMARY KEY, bal INTEGER)")
    for i = 1, ACCOUNTS do db:execute("INSERT INTO acct VALUES (?, 100)", { i }) end
    local done = channel.new(COROUTINES)
    for c = 1, COROUTINES do
        coroutine.spawn(function()
            local mine = sql.get("app:main")
            local moved = 0
            for i = 1, ROUNDS do
                if transfer(mine, (c + i) % ACCOUNTS + 1, (c * i) % ACCOUNTS + 1, i) then moved = moved + 1 end
            end
            done:send(moved)
        end)
    end
    local moved = 0
    for _ = 1, COROUTINES do moved = moved + done:receive() end
    check.equal("some moved", moved > 0, true)
    check.equal("the sum", db:query("SELECT sum(bal) AS s FROM acct")[1].s, ACCOUNTS * 100)
    check.equal("none below zero", #db:query("SELECT 1 FROM acct WHERE bal < 0"), 0)
    return check.over()
end

return { main = main }
