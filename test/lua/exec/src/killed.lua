-- Processes that are ended while they start programs, read from them, write to them and wait for them.
local check = require("check")
local exec = require("exec")
local time = require("time")

local function main()
    local ends = process.events()
    for round = 1, 20 do
        local pids = {}
        for i, how in ipairs({ "start", "read", "write", "wait" }) do
            pids[i] = assert(process.spawn_monitored("app:busy", "app:processes", how))
        end
        if round % 4 > 0 then time.sleep((round % 4) .. "ms") end
        for _, pid in ipairs(pids) do process.terminate(pid) end
        for _ = 1, #pids do ends:receive() end
    end
    time.sleep("200ms")
    local x = exec.get("app:any")
    local p = x:exec("sh -c 'grep -l \"^PPid:.$PPID$\" /proc/[0-9]*/status 2>/dev/null | grep -v \"/$$/\" | grep -vc self'", { env = { PATH = "/usr/bin:/bin" } })
    local out = p:stdout_stream()
    p:start()
    check.equal("children left", out:read(), "0\n")
    p:wait()
    return check.over()
end

return { main = main }
