local function main(to: string, claimers: number)
  local inbox, first, last = process.inbox(), 0, 0
  while last < claimers do
    if inbox:receive():topic() == "first" then first = first + 1 else last = last + 1 end
  end
  process.send(to, "total", first)
end

return { main = main }
