local channel = require("channel")
local check = require("check")
local exec = require("exec")
local time = require("time")

local function main()
    local x, e = exec.get("app:any")
    check.equal("get", e, nil)
    local none, why = exec.get("app:none")
    check.equal("get: unknown", tostring(none) .. why:kind(), "nilInternal")
    none, why = exec.get("")
    check.equal("get: empty", tostring(none) .. why:kind(), "nilInvalid")

    -- Everything a program wrote, what it said on the other stream, its exit code.
    local function run(command, options, input)
        local p, err = x:exec(command, options)
        if not p then return err:kind() .. ": " .. err:message() end
        local out, errs = p:stdout_stream(), p:stderr_stream()
        check.equal("the same stream", out, (p:stdout_stream()))
        local ok, start_err = p:start()
        if not ok then return start_err:kind() .. ": " .. start_err:message() end
        if input then
            check.equal("write_stdin", (p:write_stdin(input)), true)
            check.equal("end of input", (p:write_stdin("")), true)
        end
        local text, bad = "", ""
        while true do
            local data = out:read()
            if not data then break end
            text = text .. data
        end
        while true do
            local data = errs:read()
            if not data then break end
            bad = bad .. data
        end
        local code, wait_err = p:wait()
        check.equal("wait: no error", wait_err, nil)
        return text .. "|" .. bad .. "|" .. code
    end
    check.equal("echo", run("echo hello"), "hello\n||0")
    check.equal("quotes", run([[printf <%s> a 'b c' "d 'e'" x'y z'w '' $HOME *]]), "<a><b c><d 'e'><xy zw><><$HOME><*>||0")
    check.equal("exit code", run("sh -c 'echo out; echo err >&2; exit 3'"), "out\n|err\n|3")
    check.equal("ended by a signal", run("sh -c 'kill -9 $$'"), "||137")
    check.equal("standard input", run("cat", nil, "some\0bytes"), "some\0bytes||0")
    check.equal("much input", #run("cat", nil, string.rep("i", 50000)), 50000 + 3)
    check.equal("no standard input", run("cat", { stdin = false }), "||0")
    check.equal("environment", run("env"), "GREETING=hello\nNUMBER=7\n||0")
    check.equal("environment laid over", run("env", { env = { GREETING = "bye", MORE = "m" } }):gsub("MORE=m\n", ""), "NUMBER=7\nGREETING=bye\n||0")
    check.equal("working directory", run("pwd", { work_dir = "/" }), "/\n||0")
    check.equal("working directory: missing", (run("pwd", { work_dir = "/none" }):gsub("'/none'", "/none")), "Internal: start process: /none: no such file or directory")
    check.equal("no such program", run("no_such_program_here x"), "Internal: start process: program 'no_such_program_here' is not in a folder of PATH")
    check.equal("no program at all", run("/etc/passwd"):sub(1, 40), "Internal: start process: /etc/passwd: pe")
    check.equal("no command", run(""), "Invalid: command is required")
    check.equal("blanks only", run("  "), "Invalid: command is required")
    check.equal("open quote", run("echo 'a"), "Invalid: command has a quote that is not closed")
    check.equal("bad env", run("env", { env = { ["A=B"] = "x" } }), "Invalid: 'A=B' is no name of an environment variable")
    check.equal("bad env value", run("env", { env = { A = {} } }), "Invalid: environment variable 'A' must be a text")

    -- Order of calls.
    local p = x:exec("sleep 100")
    for _, method in ipairs({ "wait", "write_stdin", "signal" }) do
        local r, err = p[method](p, method == "signal" and 15 or "x")
        check.equal(method .. " before start", tostring(r) .. err:kind() .. err:message(), "nilInvalidprocess not started: call start() first")
    end
    check.equal("start", (p:start()), true)
    local r, err = p:start()
    check.equal("start twice", tostring(r) .. err:kind() .. err:message(), "nilInvalidprocess already started")
    r, err = p:stdout_stream()
    check.equal("stream after start", tostring(r) .. err:kind(), "nilInvalid")
    r, err = p:signal(1000)
    check.equal("no such signal", tostring(r) .. err:kind(), "nilInvalid")
    check.equal("signal", (p:signal(15)), true)
    check.equal("after the signal", p:wait(), 143)
    for _, method in ipairs({ "wait", "start", "signal", "write_stdin", "stdout_stream" }) do
        r, err = p[method](p, method == "signal" and 15 or "x")
        check.equal(method .. " afterwards", tostring(r) .. err:kind() .. err:message(), "nilInvalidprocess is closed")
    end
    check.equal("close", (p:close()), true)
    check.equal("close again", (p:close(true)), true)

    -- Another coroutine waits, reads, or closes.
    local seen = channel.new(4)
    p = x:exec("sleep 100")
    local out = p:stdout_stream()
    coroutine.spawn(function() seen:send(tostring((out:read()))) end)
    p:start()
    coroutine.spawn(function() seen:send(tostring((p:wait()))) end)
    time.sleep("20ms")
    p:close(true)
    local a, b = seen:receive(), seen:receive()
    check.equal("reader and waiter", a < b and a .. b or b .. a, "137nil")
    p = x:exec("sleep 100")
    p:start()
    coroutine.spawn(function()
        local ok, werr = p:write_stdin(string.rep("x", 1000000))
        seen:send(tostring(ok) .. werr:kind())
    end)
    time.sleep("20ms")
    p:close()
    check.equal("a writer", seen:receive(), "nilInternal")
    p = x:exec("cat")
    out = p:stdout_stream()
    coroutine.spawn(function() seen:send(tostring(select(2, out:read()):message():find("closed", 1, true) ~= nil)) end)
    time.sleep("1ms")
    p:close()
    check.equal("never started", seen:receive(), "true")
    p = x:exec("true")
    p:start()
    time.sleep("50ms")
    check.equal("ended before anybody waits", p:wait(), 0)
    -- A stream closed by the reader: the writer gets SIGPIPE.
    p = x:exec("sh -c 'while echo y; do :; done'")
    out = p:stdout_stream()
    p:start()
    out:read(1)
    out:close()
    check.equal("nobody reads", p:wait(), 141)

    -- Stream methods.
    p = x:exec("printf a\\nb\\n")
    out = p:stdout_stream()
    p:start()
    check.equal("scanner", out:scanner("words"):scan(), true)
    local st = out:stat()
    check.equal("stat", st.size .. tostring(st.readable) .. tostring(st.writable) .. tostring(st.seekable), "-1truefalsefalse")
    check.equal("seek", (out:seek()), -1)
    check.equal("write", (out:write("x")), 0)
    check.equal("flush", (out:flush()), true)
    check.equal("close", (out:close()), true)
    check.equal("close again", (out:close()), true)
    r, err = out:read()
    check.equal("closed", tostring(r) .. err:kind() .. tostring(err:message():find("closed", 1, true) ~= nil), "nilInternaltrue")
    p:wait()

    -- Whitelist.
    local listed = exec.get("app:listed")
    p = listed:exec("pwd")
    out = p:stdout_stream()
    p:start()
    check.equal("working directory of the executor", out:read():sub(-5), "/src\n")
    check.equal("listed", p:wait(), 0)
    for _, command in ipairs({ "echo two", "echo one ", " echo one", "echo  one", "echo one; id", "'echo' one", "echo" }) do
        r, err = listed:exec(command)
        check.equal("not listed: " .. command, tostring(r) .. err:kind() .. err:message(), "nilInternalcreate process: command not allowed")
    end
    check.equal("release", (listed:release()), true)
    check.equal("release again", (listed:release()), true)
    r, err = listed:exec("pwd")
    check.equal("released", tostring(r) .. err:kind() .. err:message(), "nilInvalidexecutor is released")
    check.equal("wrong type raises", (pcall(x.exec, x, {})), false)
    return check.over()
end

return { main = main }
