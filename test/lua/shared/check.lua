-- What the programs of several projects use: failures are printed and counted, done() is the exit status. The projects link to this file; their
-- tests run a copy.
local io = require("io")

local check = {}
local state = { failures = 0, count = 0 }

local function fail(what, got, want)
  state.failures = state.failures + 1
  io.print("not so: " .. what .. ": got " .. tostring(got) .. ", want " .. tostring(want))
end

function check.same(what, got, want)
  state.count = state.count + 1
  if got ~= want then fail(what, got, want) end
end

-- The same under the names that other projects use.
check.equal = check.same

function check.text(what, got, want)
  check.same(what, tostring(got), want)
end

-- A call that answers nil and an error of that kind whose text contains `text`.
function check.refuses(what, kind, text, got, err)
  state.count = state.count + 1
  if got ~= nil or err == nil then return fail(what, got, "nil and an error") end
  if err:kind() ~= kind then fail(what, err:kind(), kind) end
  if err:retryable() ~= false then fail(what .. " is retryable", err:retryable(), false) end
  if not string.find(tostring(err), text, 1, true) then fail(what, tostring(err), text) end
end

-- A call that raises.
function check.raises(what, text, fn, ...)
  state.count = state.count + 1
  local ok, err = pcall(fn, ...)
  if ok then return fail(what, "no error", text) end
  if not string.find(tostring(err), text, 1, true) then fail(what, tostring(err), text) end
end

function check.between(what, got, low, high)
  state.count = state.count + 1
  if got < low or got > high then fail(what, got, tostring(low) .. ".." .. tostring(high)) end
end

-- Enough garbage for the collector to come round several times.
function check.make_garbage()
  for _ = 1, 300000 do
    local _ = { "garbage" }
  end
end

function check.done()
  io.print(tostring(state.count) .. " checks, " .. tostring(state.failures) .. " failures")
  return state.failures == 0 and 0 or 1
end

check.over = check.done

return check
