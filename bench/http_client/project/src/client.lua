-- client URL REQUESTS CONCURRENCY keep|new: prints requests per second.
local function main(url, requests, concurrency, mode)
  local left = tonumber(requests)
  local options = { overlay_network = "bench:proxy" }
  if mode == "new" then
    options.headers = { Connection = "close" }
  end
  local failed, failure = 0, nil
  local done = channel.new()
  local begun = os.clock()
  for _ = 1, tonumber(concurrency) do
    coroutine.spawn(function()
      while left > 0 do
        left = left - 1
        local resp, err = http_client.get(url, options)
        if err or resp.status_code ~= 200 then
          failed = failed + 1
          failure = err or resp.status_code
        end
      end
      done:send(true)
    end)
  end
  for _ = 1, tonumber(concurrency) do
    done:receive()
  end
  if failed > 0 then
    return nil, failed .. " requests failed, the last: " .. tostring(failure)
  end
  io.print(string.format("%.0f", tonumber(requests) / (os.clock() - begun)))
  return 0
end

return { main = main }
