-- Tens of thousands of timers at once: each fires once, none is early, and what is stopped stays silent.
local time = require("time")
local check = require("check")

local COUNT = 30000

local function main()
  local start = time.now()
  local channels, early, got = {}, 0, 0
  for i = 1, COUNT do
    channels[i] = assert(time.after((i * 7919 % 200 + 1) .. "ms"))
  end
  for i = 1, COUNT do
    local t, ok = channels[i]:receive()
    if ok then got = got + 1 end
    if t:sub(start):milliseconds() < i * 7919 % 200 + 1 then early = early + 1 end
  end
  check.same("fired", got, COUNT)
  check.same("early", early, 0)

  local timers, stopped = {}, 0
  for i = 1, COUNT do timers[i] = assert(time.timer("1h")) end
  for i = 1, COUNT do
    if timers[i]:stop() then stopped = stopped + 1 end
  end
  check.same("stopped", stopped, COUNT)

  local done, sleepers = channel.new(), 5000
  for i = 1, sleepers do
    coroutine.spawn(function()
      time.sleep((i % 50) * time.MILLISECOND)
      done:send(i)
    end)
  end
  local sum = 0
  for _ = 1, sleepers do sum = sum + done:receive() end
  check.same("sleepers", sum, sleepers * (sleepers + 1) // 2)
  return check.done()
end

return { main = main }
