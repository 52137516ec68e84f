local exec = require("exec")
local io = require("io")

local function main()
    -- No pipe where descriptors are listed: the shell would have one of its own open just then.
    local x = exec.get("app:any")
    local p = x:exec("sh -c 'ls /proc/$$/fd; grep -E \"^Sig(Blk|Ign)\" /proc/$$/status | cut -f2 | tr \"\\n\" \" \"; ps -o pgid= -p $$ | tr -d \" \" | grep -c \"^$$\\$\"'",
        { env = { PATH = "/usr/bin:/bin", TOKEN = "very-secret" } })
    local out = p:stdout_stream()
    p:start()
    while true do
        local s = out:read()
        if not s then break end
        io.write(s)
    end
    p:wait()
    return 0
end

return { main = main }
