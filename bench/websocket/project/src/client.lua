-- client URL CONNECTIONS SECONDS BYTES: every connection sends a message, waits until it comes back, and so on; prints messages per second.
local function main(url, connections, seconds, bytes)
  local n, text = tonumber(connections), string.rep("x", tonumber(bytes))
  local count, over, failure = 0, false, nil
  local done, clients = channel.new(n), {}
  for i = 1, n do
    local c, err = websocket.connect(url)
    if err then
      return nil, err
    end
    clients[i] = c
  end
  for _, c in ipairs(clients) do
    coroutine.spawn(function()
      local messages = c:channel()
      while not over do
        c:send(text)
        local m, ok = messages:receive()
        if not ok or m.data ~= text then
          failure = "a message did not come back"
          break
        end
        count = count + 1
      end
      done:send(true)
    end)
  end
  local begun = time.now()
  time.sleep(seconds .. "s")
  over = true
  for _ = 1, n do
    done:receive()
  end
  local took = time.now():sub(begun):seconds()
  for _, c in ipairs(clients) do
    c:close()
  end
  if failure then
    return nil, failure
  end
  io.print(string.format("%.0f", count / took))
  return 0
end

return { main = main }
