-- Failures are printed and counted; over() is the exit status.
local io = require("io")

local check = {}
local state = { failures = 0, count = 0 }

function check.equal(what, got, want)
    state.count = state.count + 1
    if got ~= want then
        state.failures = state.failures + 1
        io.print("not so: " .. what .. ": got " .. tostring(got) .. ", want " .. tostring(want))
    end
end

-- `nil, err` with kind and words, not to be retried.
function check.failed(what, value, err, kind, words)
    check.equal(what .. ": value", value, nil)
    check.equal(what .. ": kind", err and err:kind(), kind)
    check.equal(what .. ": words", err and err:message(), words)
    check.equal(what .. ": retryable", err and err:retryable(), false)
end

-- Raised, with these words at the end of the message.
function check.raises(what, words, fn, ...)
    local ok, err = pcall(fn, ...)
    local text = tostring(err)
    check.equal(what .. ": raised", ok, false)
    check.equal(what .. ": words", text:sub(-#words), words)
end

function check.over()
    io.print(tostring(state.count) .. " checks, " .. tostring(state.failures) .. " failures")
    return state.failures == 0 and 0 or 1
end

return check
