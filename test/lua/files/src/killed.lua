-- Processes that end, or are ended, in the middle of everything.
local check = require("check")
local fs = require("fs")
local time = require("time")

local function main()
    local vol = fs.get("app:data")
    vol:mkdir("names")
    for i = 1, 1200 do vol:writefile("names/" .. i, "x") end
    vol:writefile("large", string.rep("z", 8 * 1024 * 1024))
    local ends = process.events()
    for round = 1, 30 do
        local pids = {}
        for i, how in ipairs({ "read", "list", "copy", "open", "return" }) do
            pids[i] = assert(process.spawn_monitored("app:victim", "app:processes", how))
        end
        if round % 3 > 0 then time.sleep((round % 3) .. "ms") end
        for _, pid in ipairs(pids) do process.terminate(pid) end
        for _ = 1, #pids do ends:receive() end
    end
    check.equal("still there", #vol:readfile("large"), 8 * 1024 * 1024)
    return check.over()
end

return { main = main }
