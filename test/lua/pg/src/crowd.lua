-- Many members on all workers: monitors hear each change once and in order, broadcasts reach everybody, all leave when they end.
local check = require("check")
local pg = require("pg")

local MEMBERS, NEWS = 200, 20

local function main()
    local g = pg.open("app:scope")
    local me = process.pid()
    local joined, ends = process.listen("joined"), process.events()
    local one, two = g:monitor("crowd"), g:events()
    local pids = {}
    for i = 1, MEMBERS do pids[i] = assert(process.spawn_monitored("app:member", "app:processes", me, "crowd")) end
    for _ = 1, MEMBERS do joined:receive() end
    check.equal("all are listed", #g:get_members("crowd"), MEMBERS)
    local same, seen = 0, {}
    for i = 1, MEMBERS do
        local a, b = one:channel():receive(), two:channel():receive()
        if a.data.PIDs[1] == b.data.PIDs[1] and not seen[a.data.PIDs[1]] then same = same + 1 end
        seen[a.data.PIDs[1]] = true
        if g:get_members("crowd")[i] ~= a.data.PIDs[1] then check.equal("listed in the order of joining", i, 0) end
    end
    check.equal("both heard the same", same, MEMBERS)
    for i = 1, NEWS do g:broadcast("crowd", "news", i) end
    for _, pid in ipairs(pids) do process.send(pid, "stop") end
    local total = 0
    for _ = 1, MEMBERS do total = total + ends:receive().result.value end
    check.equal("all news", total, MEMBERS * NEWS)
    for _ = 1, MEMBERS do
        local a, b = one:channel():receive(), two:channel():receive()
        if a.kind ~= "member.left" or a.data.PIDs[1] ~= b.data.PIDs[1] then check.equal("left", a.kind, b.data.PIDs[1]) end
    end
    check.equal("nobody is left", #g:which_groups(), 0)
    return check.over()
end

return { main = main }
