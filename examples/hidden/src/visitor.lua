local function main(url: string, parent: string)
  local got, err = http_client.get(url, { route = true, timeout = "120s" })
  local way = got and got.route or err:details()
  process.send(parent, "told", ("%s as %s: %s"):format(way.overlay, way.isolation_key, got and got.body or err:details().code))
end

return { main = main }
