-- A program that writes without end writes only as much as is read.
local check = require("check")
local exec = require("exec")
local time = require("time")

local function main()
    local x = exec.get("app:any")
    local p = x:exec("sh -c 'dd if=/dev/zero bs=65536 count=100000 2>/dev/null'")
    local out = p:stdout_stream()
    p:start()
    local n = 0
    while n < 200 * 1024 * 1024 do n = n + #out:read() end
    check.equal("much was read", n >= 200 * 1024 * 1024, true)
    -- Others go on meanwhile.
    local q = x:exec("echo hi")
    local o = q:stdout_stream()
    q:start()
    check.equal("another", o:read(), "hi\n")
    q:wait()
    time.sleep("50ms")
    p:close()
    -- One line too long for the scanner.
    p = x:exec("head -c 70000 /dev/zero")
    local sc = p:stdout_stream():scanner()
    p:start()
    check.equal("a long line", (sc:scan()), false)
    check.equal("why", sc:err(), "token too long")
    p:close()
    p = x:exec("seq 1 20000")
    sc = p:stdout_stream():scanner()
    p:start()
    local lines, sum = 0, 0
    while sc:scan() do lines = lines + 1 sum = sum + tonumber(sc:text()) end
    check.equal("lines", lines .. " " .. sum, "20000 200010000")
    check.equal("wait", p:wait(), 0)
    return check.over()
end

return { main = main }
