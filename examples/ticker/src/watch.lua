local function run()
  local req, res = http.request(), http.response()
  res:set_header("X-SSE-Relay", json.encode({
    target_pid = process.registry.lookup("ticker"),
    message_topic = "tick",
    metadata = { count = tonumber(req:query("count") or "0") },
  }))
end

return { run = run }
