local function main(...)
  local answers = process.listen("answer")
  local numbers = { ... }

  while not process.registry.lookup("pool") do -- it is starting
    time.sleep("10ms")
  end
  for _, text in ipairs(numbers) do
    process.send("pool", "job", tonumber(text))
  end

  local found = {}
  for _ = 1, #numbers do
    local answer = answers:receive()
    found[answer.number] = answer.value or answer.error
  end
  for _, text in ipairs(numbers) do
    io.print(text, found[tonumber(text)])
  end
  return 0
end

return { main = main }
