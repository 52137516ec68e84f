-- Runs code it does not trust: as somebody, with few permissions, over an overlay that code cannot leave.
local function main()
  local guarded = funcs.new()
    :with_options({ network = "app:tor" })
    :with_actor(security.new_actor("scraper", {}))
    :with_scope(security.named_scope("app:scrapers"))

  local page, err = guarded:call("app.parsers:good")
  io.print("good", page, err:details().code)

  for _, line in ipairs(guarded:call("app.parsers:bad")) do
    io.print("bad", line)
  end
  return 0
end

return { main = main }
