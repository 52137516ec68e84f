-- Failures are printed and counted; over() is the exit status.
local io = require("io")

local check = {}
local state = { failures = 0, count = 0 }

local function wrong(text)
    state.failures = state.failures + 1
    io.print("not so: " .. text)
end

function check.equal(what, got, want)
    state.count = state.count + 1
    if got ~= want then
        wrong(what .. ": got " .. tostring(got) .. ", want " .. tostring(want))
    end
end

function check.yes(what, got)
    check.equal(what, not not got, true)
end

-- A failure that is returned: its kind, a part of its text, never retryable.
function check.failed(what, value, err, kind, text, want)
    check.equal(what .. ": value", value, want)
    if err == nil then
        state.count = state.count + 1
        wrong(what .. ": no error")
        return
    end
    check.equal(what .. ": kind", err:kind(), kind)
    check.equal(what .. ": retryable", err:retryable(), false)
    state.count = state.count + 1
    if not string.find(err:message(), text, 1, true) then
        wrong(what .. ": '" .. err:message() .. "' lacks '" .. text .. "'")
    end
end

-- Misuse is raised.
function check.raises(what, text, f, ...)
    local ok, why = pcall(f, ...)
    state.count = state.count + 1
    if ok or not string.find(tostring(why), text, 1, true) then
        wrong(what .. ": " .. tostring(ok) .. " " .. tostring(why))
    end
end

-- Hexadecimal digits to bytes and back.
function check.bytes(hex)
    return (string.gsub(hex, "%x%x", function(two) return string.char(tonumber(two, 16)) end))
end

function check.hex(bytes)
    return (string.gsub(bytes, ".", function(c) return string.format("%02x", string.byte(c)) end))
end

function check.over()
    io.print(tostring(state.count) .. " checks, " .. tostring(state.failures) .. " failures")
    return state.failures == 0 and 0 or 1
end

return check
