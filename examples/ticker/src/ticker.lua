-- Ten times a second everybody who watches is sent a number of his own, until he has had as many as he asked for.
local function main()
  local watchers = {}

  process.registry.register("ticker")
  local inbox, events = process.inbox(), process.events()
  local clock = time.ticker("100ms")
  while true do
    local got = channel.select({ inbox:case_receive(), events:case_receive(), clock:channel():case_receive() })
    if got.channel == events then
      return
    elseif got.channel == inbox then
      local topic, data = got.value:topic(), got.value:payload():data()
      if topic == "sse.join" then
        watchers[data.client_pid] = { n = 0, last = data.metadata.count }
      elseif topic == "sse.leave" then
        watchers[data.client_pid] = nil
      end
    else
      for pid, watcher in pairs(watchers) do
        watcher.n = watcher.n + 1
        process.send(pid, "tick", { n = watcher.n })
        if watcher.n == watcher.last then
          watchers[pid] = nil
          process.send(pid, "sse.close", "that was all")
        end
      end
    end
  end
end

return { main = main }
