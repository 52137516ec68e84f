local time = require("time")

return {
  main = function(to, how)
    process.registry.register("upgraded")
    process.set_options({ trap_links = true })
    local go, kept = process.listen("go"), process.listen("kept")
    time.ticker("1ms")
    coroutine.spawn(function() while true do time.sleep("1ms") end end)
    go:receive()
    -- One message is in the buffer of `kept` by now, others behind it.
    time.sleep("5ms")
    if how == "nested" then
      local inner = coroutine.wrap(function() pcall(process.upgrade, "app:new", to, 7) end)
      inner()
    elseif how == "own" then
      process.upgrade(nil, to, "quiet")
    elseif how == "quiet" then
      return "second life"
    else
      process.upgrade(how, to, 7)
    end
    process.send(to, "alive", "after upgrade")
  end,
}
