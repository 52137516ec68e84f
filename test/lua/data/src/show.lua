-- What getting and using says, one line each; for tests of permissions and of files that cannot be had.
local io = require("io")
local sql = require("sql")
local store = require("store")

local function say(what, f)
    local ok, v, err = pcall(f)
    if not ok then
        io.print(what .. ": raised " .. tostring(v))
    elseif err then
        io.print(what .. ": " .. err:kind() .. " " .. err:message())
    else
        io.print(what .. ": " .. tostring(v))
    end
end

local function main()
    say("sql.get", function() local db, err = sql.get("app:main") return db and "a database", err end)
    say("store.get", function() return store.get("app:cache") end)
    return 0
end

return { main = main }
