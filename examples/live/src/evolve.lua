local function greet(label: string)
  io.print(label, registry.current_version():string(), (funcs.call("app:greet", "Ann")))
end

-- One change: new code for the function, and an entry that says so. Both, or neither.
local function change(source: string)
  local changes = registry.snapshot():changes()
  local entry = registry.get("app:greet")
  entry.data.source = source
  changes:update(entry)
  changes:create({ id = "app:note", kind = "registry.entry", meta = { by = "evolve" } })
  return changes:apply()
end

local function main()
  local heard = events.subscribe("registry", "entry.*")
  local start = registry.current_version()
  greet("as in the files")

  change("return { main = function(name) return 'Good day, ' .. name end }")
  greet("changed")
  for _ = 1, 4 do
    local event = heard:channel():receive()
    io.print("heard", event.kind, event.path)
  end

  local _, err = change("return { main = function(name) return 'Good ")
  io.print("refused", err:message():match("app:greet:%d+:%d+: .*"))
  greet("unchanged")

  registry.apply_version(start)
  greet("back")
  io.print("the note", (registry.get("app:note")))
  return 0
end

return { main = main }
