-- A folder with more names than come at once, and many coroutines on it.
local channel = require("channel")
local check = require("check")
local fs = require("fs")

local function main()
    local vol = fs.get("app:data")
    vol:mkdir("many")
    vol:chdir("many")
    local done = channel.new(20)
    for w = 1, 20 do
        coroutine.spawn(function()
            for i = 1, 100 do assert(vol:writefile(w .. "_" .. i, tostring(w * i))) end
            done:send(w)
        end)
    end
    for _ = 1, 20 do done:receive() end
    local n, seen = 0, {}
    for entry in vol:readdir(".") do
        n = n + 1
        seen[entry.name] = entry.type
    end
    check.equal("all of them", n, 2000)
    check.equal("one of them", seen["20_100"], "file")
    check.equal("its content", vol:readfile("20_100"), "2000")
    -- Left early, and gone through twice at once.
    for entry in vol:readdir(".") do n = n + 1 break end
    local a, sa = vol:readdir(".")
    local b, sb = vol:readdir(".")
    local na, nb = 0, 0
    while a(sa) do na = na + 1 if b(sb) then nb = nb + 1 end end
    check.equal("two iterators", na .. " " .. nb, "2000 2000")
    check.equal("beyond the end", a(sa), nil)
    for entry in vol:readdir(".") do assert(vol:remove(entry.name)) end
    n = 0
    for entry in vol:readdir(".") do n = n + 1 end
    check.equal("removed while listed", n, 0)
    return check.over()
end

return { main = main }
