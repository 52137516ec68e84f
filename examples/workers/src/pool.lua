-- A pool of workers under the name "pool". A worker that fails is replaced; the job it had is answered with its error.
type Job = { from: string, number: integer }

local function main(size: integer)
  local inbox, events = process.inbox(), process.events()
  local idle: {string}, waiting: {Job}, busy: {[string]: Job} = {}, {}, {}

  local function start()
    local pid, err = process.spawn_monitored("app:worker", "app:processes")
    if err then
      error(err) -- nobody catches it: the supervisor starts the pool again
    end
    idle[#idle + 1] = pid
  end

  local function hand_out()
    while #idle > 0 and #waiting > 0 do
      local pid, job = table.remove(idle), table.remove(waiting, 1)
      busy[pid] = job
      process.send(pid, "job", job.number)
    end
  end

  for _ = 1, size do
    start()
  end
  process.registry.register("pool")

  while true do
    local r = channel.select({ events:case_receive(), inbox:case_receive() })
    if r.channel == events then
      local event = r.value
      if event.kind == process.event.CANCEL then
        return "stopped"
      end
      local job = busy[event.from]
      busy[event.from] = nil
      if job then
        process.send(job.from, "answer", { number = job.number, error = event.result.error:message() })
        start()
      end
    elseif r.value:topic() == "job" then
      waiting[#waiting + 1] = { from = r.value:from(), number = r.value:payload():data() }
    else -- "done", from a worker
      local pid = r.value:from()
      local job = busy[pid]
      busy[pid] = nil
      process.send(job.from, "answer", { number = job.number, value = r.value:payload():data() })
      idle[#idle + 1] = pid
    end
    hand_out()
  end
end

return { main = main }
