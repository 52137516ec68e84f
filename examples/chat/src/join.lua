-- Who may come in, and as whom: then the connection is the room's business.
local function run()
  local req, res = http.request(), http.response()
  local nick = req:query("nick")
  if not nick or nick == "" or #nick > 20 then
    res:set_status(400)
    res:write("a nick has 1 to 20 characters")
    return
  end
  res:set_header("X-WS-Relay", json.encode({
    target_pid = process.registry.lookup("room"),
    metadata = { nick = nick },
  }))
end

return { run = run }
