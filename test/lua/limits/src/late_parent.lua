-- A parent that dies while another worker makes its linked child: no child is left behind with a link to nobody.
local time = require("time")
local check = require("check")

local function main()
  local events, born = process.events(), process.listen("born", { message = true })
  local children = { crash = {}, ["end"] = {} }
  coroutine.spawn(function()
    while true do
      local m = born:receive()
      local list = children[m:payload():data()]
      list[#list + 1] = m:from()
    end
  end)
  for i = 1, 40 do
    -- With others in its queue this worker gives an unknown program to another one.
    for _ = 1, 20 do process.spawn("app:give", "app:processes") end
    assert(process.spawn_monitored("app:dies_while_spawning", "app:processes", i % 2 == 0 and "crash" or "end", process.pid()))
    events:receive()
  end
  time.sleep("300ms")
  check.same("children were made", #children["end"] > 0, true)
  -- An end without an error leaves a child alone.
  for _, pid in ipairs(children["end"]) do check.same("alive", process.terminate(pid), true) end
  for _, pid in ipairs(children.crash) do check.same("gone", (process.terminate(pid)), nil) end
  return check.done()
end

return { main = main }
