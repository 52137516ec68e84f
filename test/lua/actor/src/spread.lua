local funcs = require("funcs")
local check = require("check")

local CALLS = 30

-- Which workers served them, known by the pids.
local function workers_of(executor, workers: number)
  local seen, n = {}, 0
  for _ = 1, 3 do
    local futures = {}
    for i = 1, CALLS do futures[i] = assert(executor:async("app:where")) end
    for i = 1, CALLS do
      local worker = futures[i]:response():receive():data() % workers
      if not seen[worker] then n = n + 1 end
      seen[worker] = true
    end
  end
  return n
end

-- While the caller's worker has enough to do, others serve its calls; also those that are tried again.
local function main(workers)
  workers = tonumber(workers)
  local retry = { max_attempts = 2, initial_delay = 1 }
  check.between("plain calls", workers_of(funcs.new(), workers), 2, workers)
  check.between("calls that may be tried again", workers_of(funcs.new():with_options({ retry = retry }), workers), 2, workers)
  -- An attempt that fails elsewhere counts, one that is cancelled there ends.
  local futures = {}
  for i = 1, CALLS do futures[i] = assert(funcs.new():with_options({ retry = retry }):async("app:where", true)) end
  for i = 1, CALLS do
    futures[i]:response():receive()
    local _, err = futures[i]:result()
    check.text("the error of the last attempt", err, "try again")
  end
  assert(process.registry.register("spread"))
  local caller = assert(process.spawn_monitored("app:spread_caller", "app:processes"))
  process.inbox():receive()
  process.terminate(caller)
  process.events():receive()
  check.between("free again", workers_of(funcs.new(), workers), 1, workers)
  return check.done()
end

return { main = main }
