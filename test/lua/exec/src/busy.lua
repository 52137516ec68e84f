local exec = require("exec")

local function main(how: string)
    local x = exec.get("app:any")
    while true do
        local p = x:exec(how == "start" and "true" or "cat")
        local out = p:stdout_stream()
        p:start()
        if how == "start" then p:close() end
        if how == "read" then out:read() end
        if how == "write" then p:write_stdin(string.rep("x", 1000000)) end
        if how == "wait" then
            local q = x:exec("sleep 100")
            q:start()
            q:wait()
        end
    end
end

return { main = main }
