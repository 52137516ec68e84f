local check = require("check")
local time = require("time")

local function main()
  local me = process.pid()
  local ch = channel.new(3)
  check.same("returns the channel", subscribe("a", ch), ch)
  check.same("again", subscribe("a", ch), ch)
  check.refuses("taken", "AlreadyExists", 'topic "a" already subscribed', subscribe("a", channel.new(1)))
  check.refuses("empty", "Invalid", "topic cannot be empty", subscribe("", ch))
  check.refuses("events", "Invalid", "cannot subscribe to @ topics", subscribe("@pid/events", ch))
  check.raises("no channel", "channel expected", subscribe, "b", 3)
  check.raises("no channel", "channel expected", unsubscribe, 3)

  -- Its own capacity: three are buffered at once, seen by a select that does not wait.
  for i = 1, 5 do process.send(me, "a", i) end
  time.sleep("2ms")
  for i = 1, 3 do
    check.same("buffered", channel.select({ ch:case_receive(), default = true }).value, i)
  end
  check.same("the rest waits", ch:receive(), 4)
  check.same("the rest waits", ch:receive(), 5)

  -- Two topics, one channel, in order.
  subscribe("b", ch)
  process.send(me, "b", "b1")
  process.send(me, "a", "a1")
  local got = { (ch:receive()), (ch:receive()) }
  table.sort(got)
  check.same("two topics", table.concat(got, " "), "a1 b1")
  check.same("unsubscribe", unsubscribe(ch), true)
  local inbox = process.inbox()
  process.send(me, "b", 1)
  check.same("back to the inbox", inbox:receive():topic(), "b")
  check.same("stays open", ch:send(1), true)
  local ok, err = unsubscribe(ch)
  check.same("twice", ok, false)
  check.same("twice", err:kind(), "NotFound")
  return check.done()
end

return { main = main }
