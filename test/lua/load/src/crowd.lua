local check = require("check")

-- So many processes alive at once, each of which answers, in two rounds; then all end.
local function main(amount)
  amount = tonumber(amount)
  local inbox, events = process.inbox(), process.events()
  local pids, index = {}, {}
  for i = 1, amount do
    local pid, err = process.spawn_monitored("app:waiter", "app:processes")
    if not pid then error(tostring(err)) end
    pids[i] = pid
    index[pid] = i
  end
  for round, topic in ipairs({ "hello", "stop" }) do
    local missing, wrong = amount, 0
    local answered = {}
    for i = 1, amount do assert(process.send(pids[i], topic, i * round)) end
    for _ = 1, amount do
      local m = inbox:receive()
      local i = index[m:from()]
      if answered[i] or m:topic() ~= topic or m:payload():data() ~= i * round then
        wrong = wrong + 1
      else
        answered[i] = true
        missing = missing - 1
      end
    end
    check.same("answers missing", missing, 0)
    check.same("wrong answers", wrong, 0)
  end
  local ended = 0
  for _ = 1, amount do
    local e = events:receive()
    if index[e.from] and e.kind == "pid.exit" and e.result.value == "stopped" and not e.result.error then
      index[e.from] = nil
      ended = ended + 1
    end
  end
  check.same("ends heard of, each once", ended, amount)
  return check.done()
end

return { main = main }
