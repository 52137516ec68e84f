local funcs = require("funcs")
local time = require("time")
local check = require("check")

local function main()
  -- Three at once, whoever waits: 9 calls of 40 ms take three rounds.
  local start = time.now()
  local futures = {}
  for i = 1, 9 do futures[i] = assert(funcs.async("app:busy", 40)) end
  for i = 1, 9 do futures[i]:response():receive() end
  check.between("rounds", time.now():sub(start):milliseconds(), 118, 5000)

  -- Waiting callers that go away leave the queue.
  local pids = {}
  for i = 1, 20 do pids[i] = assert(process.spawn("app:busy_caller", "app:processes")) end
  time.sleep("10ms")
  for i = 1, 20 do process.terminate(pids[i]) end
  start = time.now()
  funcs.call("app:busy", 1)
  check.between("not behind them", time.now():sub(start):milliseconds(), 0, 3000)

  -- Calls that compute are spread over the workers, answer as ever, and end with their caller.
  local results = {}
  for i = 1, 12 do futures[i] = assert(funcs.async("app:computes", i)) end
  for i = 1, 12 do results[i] = futures[i]:response():receive():data() end
  check.same("in any order", table.concat(results, " "), "1 2 3 4 5 6 7 8 9 10 11 12")
  for i = 1, 8 do futures[i] = assert(funcs.async("app:computes", i, true)) end
  for i = 1, 8 do
    futures[i]:response():receive()
    check.same("failure", select(2, futures[i]:result()):kind(), "NotFound")
  end
  return check.done()
end

return { main = main }
