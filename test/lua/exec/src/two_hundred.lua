-- Two hundred programs at once.
local channel = require("channel")
local check = require("check")
local exec = require("exec")

local function main()
    local x = exec.get("app:any")
    local done = channel.new(200)
    for i = 1, 200 do
        coroutine.spawn(function()
            local p = x:exec("sh -c 'echo " .. i .. "; exit " .. (i % 100) .. "'")
            local out = p:stdout_stream()
            local ok, err = p:start()
            if not ok then done:send(tostring(err)) return end
            local text = out:read()
            local code = p:wait()
            done:send(text == i .. "\n" and code == i % 100 and "ok" or tostring(text) .. tostring(code))
        end)
    end
    local ok = 0
    for _ = 1, 200 do
        local r = done:receive()
        if r == "ok" then ok = ok + 1 else check.equal("a program", r, "ok") end
    end
    check.equal("all of them", ok, 200)
    -- None is left as a zombie.
    local p = x:exec("sh -c 'grep -l \"^PPid:.$PPID$\" /proc/[0-9]*/status 2>/dev/null | while read f; do grep -H \"^State:.Z\" $f; done'",
        { env = { PATH = "/usr/bin:/bin" } })
    local out = p:stdout_stream()
    p:start()
    check.equal("zombies", out:read(), nil)
    p:wait()
    return check.over()
end

return { main = main }
