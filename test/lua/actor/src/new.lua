local ctx = require("ctx")

return {
  main = function(to, n)
    local kept, inbox = process.listen("kept"), process.inbox()
    local got = {}
    for i = 1, 3 do got[i] = kept:receive() end
    local other = inbox:receive()
    process.send(to, "report", {
      pid = process.pid(), n = n, kept = table.concat(got, ","), other = other:topic(), id = process.id(),
      trap = process.get_options().trap_links, named = process.registry.lookup("upgraded"), k = ctx.get("k"),
    })
    local e = process.events():receive()
    return e.reason
  end,
}
