-- Each page is fetched by an actor of its own; all it does goes over the network it was started under.
local function main(network: string, ...: string)
  local pages = { ... }
  local told = process.listen("told")
  local start = process.with_options({ network = network })
  for _, url in ipairs(pages) do
    assert(start:spawn("app:visitor", "app:processes", url, process.pid()))
  end
  for _ = 1, #pages do
    io.print((told:receive()))
  end
  return 0
end

return { main = main }
