-- Values in a file: the coroutine waits, others run meanwhile.
local env = require("env")
local check = require("check")

local function main()
    check.equal("no file yet", (env.get("SAVED")), nil)
    check.equal("router: the second storage", (env.get("ROUTED")), "from static")
    check.equal("set makes the file", (env.set("SAVED", "one")), true)
    check.equal("set is seen", (env.get("SAVED")), "one")
    local none, err = env.set("SAVED", "a\nINJECTED=b")
    check.equal("a line break is refused", none, nil)
    check.equal("a line break: kind", err and err:kind(), errors.INVALID)
    check.equal("router: set", (env.set("ROUTED", "in the file")), true)
    check.equal("router: set is seen", (env.get("ROUTED")), "in the file")
    check.equal("get_all reads files", env.get_all().SAVED, "one")

    local order, over = {}, channel.new(8)
    for i = 1, 8 do
        coroutine.spawn(function()
            table.insert(order, "begin")
            env.set("SAVED", "by " .. i)
            table.insert(order, "end")
            over:send(env.get("SAVED"))
        end)
    end
    local last
    for _ = 1, 8 do
        last = over:receive()
    end
    check.equal("all begin before one ends", table.concat(order, " ", 1, 8), string.rep("begin ", 7) .. "begin")
    check.equal("whole values only", last:match("^by [1-8]$") ~= nil, true)

    local ordered = pcall(table.sort, { 2, 1 }, function(a, b)
        env.set("SAVED", "never")
        return a < b
    end)
    check.equal("a change where nothing can wait raises", ordered, false)
    check.equal("and changes nothing", env.get("SAVED") ~= "never", true)
    local seen
    table.sort({ 2, 1 }, function(a, b)
        seen = env.get("SAVED")
        return a < b
    end)
    check.equal("a look-up there answers", seen, (env.get("SAVED")))
    env.set("SAVED", "at the end")
    return check.over()
end

return { main = main }
