local exec = require("exec")

local scripts = {
    plain = "echo $$; exec sleep 300",
    -- One that does not listen, with a child that does not either.
    stubborn = "trap '' TERM; (trap '' TERM; while :; do sleep 1; done) & echo $$ $!; while :; do sleep 1; done",
    -- The program ends at once; what it started goes on.
    orphan = "sleep 300 & echo $!; exit 0",
    stopped = "echo $$; kill -STOP $$; sleep 300",
}

local function main(parent: string, how: string)
    local x = exec.get("app:any")
    local p = x:exec('sh -c "' .. scripts[how] .. '"', { env = { PATH = "/usr/bin:/bin" } })
    local out = p:stdout_stream()
    p:start()
    process.send(parent, "pids", (out:read()))
end

return { main = main }
