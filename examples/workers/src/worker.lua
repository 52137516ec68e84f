-- One job at a time; an error is the worker's end, and the pool hears of it.
local function main()
  local inbox, events = process.inbox(), process.events()

  while true do
    local r = channel.select({ events:case_receive(), inbox:case_receive() })
    if r.channel == events then
      return
    end
    local n = r.value:payload():data()
    if n < 0 then
      error("no root of a negative number")
    end
    process.send(r.value:from(), "done", math.sqrt(n))
  end
end

return { main = main }
