local funcs = require("funcs")
local time = require("time")
local check = require("check")

local function with(retry)
  return assert(funcs.new():with_options({ retry = retry }))
end

local function prepare(fails)
  assert(select(2, funcs.call("app:flaky", fails)) == nil)
end

local function main()
  -- Tried again until it works; the result says which call it was.
  prepare(2)
  check.same("third time", with({ max_attempts = 5, initial_delay = 1 }):call("app:flaky", nil, "Unavailable", true), 3)
  prepare(2)
  local v, err = with({ max_attempts = 2, initial_delay = 1 }):call("app:flaky", nil, "Unavailable", true)
  check.same("the last error", err and err:message(), "not yet")
  check.same("its kind", err:kind(), "Unavailable")
  check.same("two calls", (funcs.call("app:flaky")), 3)

  -- What is never tried again.
  for _, case in ipairs({ { "Internal", true }, { "Invalid", true }, { "PermissionDenied", true }, { "Canceled", true }, { "Unavailable", false } }) do
    prepare(1)
    v, err = with({ max_attempts = 3, initial_delay = 1 }):call("app:flaky", nil, case[1], case[2])
    check.same(case[1], v, nil)
    check.same(case[1], err:kind(), case[1])
  end
  prepare(1)
  v = with({ max_attempts = 3, initial_delay = 1, retry_kinds = { "Internal" } }):call("app:flaky", nil, "Internal", true)
  check.same("retry_kinds", v, 2)
  prepare(1)
  v, err = with({ max_attempts = 3, initial_delay = 1, skip_kinds = { "Unavailable" } }):call("app:flaky", nil, "Unavailable", true)
  check.same("skip_kinds", err:kind(), "Unavailable")

  -- Without the option nothing is tried again; with_options replaces all.
  prepare(1)
  v, err = with({ max_attempts = 3 }):with_options({}):call("app:flaky", nil, "Unavailable", true)
  check.same("no option", err:kind(), "Unavailable")

  -- Delays: 40, 80 ms, each within a tenth.
  prepare(2)
  local start = time.now()
  with({ max_attempts = 3, initial_delay = "40ms", backoff_factor = 2 }):call("app:flaky", nil, "Unavailable", true)
  check.between("delays", time.now():sub(start):milliseconds(), 108, 5000)

  -- The entry's own option, and a call's over it.
  check.same("entry", (funcs.call("app:flaky_entry")), 3)
  v, err = with({ max_attempts = 1 }):call("app:flaky_entry")
  check.same("call over entry", err:kind(), "Unavailable")

  -- Futures too.
  prepare(2)
  local f = assert(with({ max_attempts = 5, initial_delay = 1 }):async("app:flaky", nil, "Unavailable", true))
  check.same("async", f:response():receive():data(), 3)

  -- Nonsense is refused.
  check.refuses("option", "Invalid", "option 'retry': field 'max_attempts': expected number", with({ max_attempts = "x" }):call("app:add", 1, 2))
  check.refuses("option", "Invalid", "option 'retry': expected table, got integer", with(3):call("app:add", 1, 2))
  return check.done()
end

return { main = main }
