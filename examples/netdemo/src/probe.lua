local io = require("io")
local http_client = require("http_client")
local json = require("json")

local function fetch_ip(overlay)
  local options = { timeout = "15s" }
  if overlay then
    options.overlay_network = overlay
  end

  local resp, err = http_client.get("https://api.ipify.org?format=json", options)
  if err then
    return nil, tostring(err)
  end
  if resp.status_code ~= 200 then
    return nil, "HTTP " .. resp.status_code
  end

  local body = json.decode(resp.body or "")
  return body and body.ip, nil
end

local function main()
  local direct, d_err = fetch_ip(nil)
  if d_err then
    io.print("direct failed: " .. d_err)
  else
    io.print("direct IP: " .. direct)
  end

  local routed, r_err = fetch_ip("app:tor")
  if r_err then
    io.print("tor failed: " .. r_err)
  else
    io.print("tor IP: " .. routed)
  end

  return 0
end

return { main = main }
