local function main(text: string)
  local ok, err = schema.ensure()
  if not ok then
    return nil, err
  end
  local n = tonumber(text)
  for _ = 1, 2 do
    local value, from = cache.through("square:" .. text, function()
      time.sleep("20ms")
      return n * n
    end, 3600)
    io.print(value, from)
  end
  return 0
end

return { main = main }
