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

function check.over()
    io.print(tostring(state.count) .. " checks, " .. tostring(state.failures) .. " failures")
    return state.failures == 0 and 0 or 1
end

return check
