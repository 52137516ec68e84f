local time = require("time")
local check = require("check")

local function main()
  local me = process.pid()
  local INVALID, NOT_FOUND = "Invalid", "NotFound"

  check.refuses("@ topic", INVALID, "cannot send to @ topics", process.send(me, "@x"))
  check.refuses("one argument", INVALID, "send requires at least destination and topic arguments", process.send(me))
  check.refuses("no process", NOT_FOUND, "process not found", process.send("{app:processes|0xfffff}", "t"))
  check.refuses("no host", NOT_FOUND, "host not found", process.send("{app:none|0xfffff}", "t"))
  check.refuses("no name", NOT_FOUND, "could not resolve 'nobody' as PID or registered name", process.send("nobody", "t"))
  check.refuses("empty", INVALID, "topic cannot be empty", process.listen(""))
  check.refuses("events", INVALID, "cannot listen to @ topics", process.listen("@x"))
  check.raises("destination", "string expected", process.send, 3, "t")
  check.raises("topic", "string expected", process.send, me, {})
  check.raises("unlisten", "channel expected", process.unlisten, 3)

  -- Nothing sent before subscribing is lost; a subscription goes before the inbox; order per topic.
  process.send(me, "early", 1)
  process.send(me, "mine", 2)
  process.send(me, "early", 3)
  local mine, inbox = process.listen("mine"), process.inbox()
  check.same("subscription", mine:receive(), 2)
  for _, want in ipairs({ 1, 3 }) do
    local m = inbox:receive()
    check.same("topic", m:topic(), "early")
    check.same("data", m:payload():data(), want)
    check.same("from", m:from(), me)
    check.text("tostring", m, "process.Message{topic=early}")
  end
  check.same("same inbox", process.inbox(), inbox)
  check.same("same events", process.events(), process.events())
  check.same("same listen", process.listen("mine"), mine)

  -- listen: none, one, several payloads; then Message mode.
  process.send(me, "mine")
  check.same("none", mine:receive(), nil)
  process.send(me, "mine", "a", "b", nil)
  local v = mine:receive()
  check.same("several", v[1] .. v[2], "ab")
  check.same("switch", process.listen("mine", { message = true }), mine)
  process.send(me, "mine", 1, 2)
  local m = mine:receive()
  check.same("payloads", m:payload()[2]:data(), 2)
  process.send(me, "mine")
  check.same("no payload", mine:receive():payload(), nil)

  -- What a payload is.
  local t = { 1, 2.5, "x\0y", { deep = true } }
  t.me = t
  local err = errors.new({ message = "e", kind = "Odd", retryable = true, details = { a = 1 } })
  process.send(me, "copy", t, err, print, channel.new(), 5, 5.0, setmetatable({}, { __index = { k = "meta" } }))
  local got = inbox:receive():payload()
  local c = got[1]:data()
  check.same("copied", c ~= t and c[4] ~= t[4] and c.me == c and c[3] == "x\0y" and c[4].deep, true)
  check.same("integer", math.type(c[1]) .. math.type(got[5]:data()) .. math.type(got[6]:data()), "integerintegerfloat")
  local e = got[2]:data()
  check.same("error", e:message() .. e:kind() .. tostring(e:retryable()) .. tostring(e:details().a), "eOddtrue1")
  check.same("function", got[3]:data(), nil)
  check.same("channel", got[4]:data(), nil)
  check.same("metatable", got[7]:data().k, "meta")

  -- unlisten: closed, and the topic falls back to the inbox.
  check.same("unlisten", process.unlisten(mine), true)
  local value, open = mine:receive()
  check.same("closed", value, nil)
  check.same("closed", open, false)
  process.send(me, "mine", 9)
  check.same("back", inbox:receive():topic(), "mine")
  local ok, why = process.unlisten(mine)
  check.same("unknown", ok, false)
  check.same("unknown", why:kind() .. tostring(why), "NotFoundchannel not found")

  -- A message by name, and one sent by the system.
  process.registry.register("messages")
  process.send("messages", "by name", 1)
  check.same("by name", inbox:receive():topic(), "by name")

  -- A program may send to and close such channels itself.
  local l = process.listen("own")
  coroutine.spawn(function() l:send("mine") end)
  check.same("sent by hand", l:receive(), "mine")
  l:close()
  time.sleep("1ms")
  process.send(me, "own", 1)
  check.same("closing ends it", inbox:receive():topic(), "own")

  -- Options.
  check.same("options", process.get_options().trap_links, false)
  for _, case in ipairs({ { 3, "options parameter must be a table" }, { { trap_links = 1 }, "trap_links must be a boolean" },
      { { other = 1 }, "option other is not supported" } }) do
    ok, why = process.set_options(case[1])
    check.same("refused", ok, false)
    check.same("refused", why:kind() .. why:message(), "Invalid" .. case[2])
  end
  process.set_options({ other = 1, trap_links = true })
  check.same("the valid one counts", process.get_options().trap_links, true)
  check.same("id", process.id(), "app:messages")
  return check.done()
end

return { main = main }
