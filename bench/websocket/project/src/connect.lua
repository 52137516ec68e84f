-- Each connection gets a process of its own.
local function run()
  local pid = process.spawn("bench:echo", "bench:processes")
  http.response():set_header("X-WS-Relay", json.encode({ target_pid = pid }))
end

return { run = run }
