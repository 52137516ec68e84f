local funcs = require("funcs")
local check = require("check")

local function start(how)
  local pid = assert(process.with_context({ k = "v" }):spawn_monitored("app:old", "app:processes", process.pid(), how))
  process.send(pid, "other", 1)
  for i = 1, 3 do process.send(pid, "kept", i) end
  process.send(pid, "go")
  return pid
end

local function main()
  local report, alive, events = process.listen("report"), process.listen("alive"), process.events()
  for _, how in ipairs({ "app:new", "nested" }) do
    local pid = start(how)
    local r = report:receive()
    check.same(how .. " pid", r.pid, pid)
    check.same(how .. " name", r.named, pid)
    check.same(how .. " argument", r.n, 7)
    check.same(how .. " messages", r.kept, "1,2,3")
    check.same(how .. " inbox", r.other, "other")
    check.same(how .. " code", r.id, "app:new")
    check.same(how .. " options", r.trap, false)
    check.same(how .. " context", r.k, "v")
    process.cancel(pid, "enough")
    local e = events:receive()
    check.same(how .. " monitor", e.from, pid)
    check.same(how .. " result", e.result.value, "enough")
  end

  -- Without an id: the same entry again.
  local pid = start("own")
  process.send(pid, "go")
  check.same("own", events:receive().result.value, "second life")

  -- What fails ends the process.
  for how, words in pairs({ ["app:none"] = "upgrade: no factory", ["app:add"] = "upgrade: no factory",
      ["app:chunk"] = "upgrade: create failed: failed to execute script", ["app:nomethod"] = "upgrade: create failed: method \"main\" not found" }) do
    pid = start(how)
    local e = events:receive()
    check.same(how .. " who", e.from, pid)
    check.same(how, string.find(tostring(e.result.error), words, 1, true), 1)
    check.same(how .. " is gone", process.send(pid, "x"), nil)
  end

  -- A function just ends.
  local v, err = funcs.call("app:leave")
  check.same("function", v, nil)
  check.same("function", err, nil)

  -- Nothing of the old code went on.
  local r = channel.select({ alive:case_receive(), default = true })
  check.same("old code", r.default, true)
  return check.done()
end

return { main = main }
