local HOST = "app:processes"

local function main(to: string, name: string, claimers: number, messages: number, names: number)
  local inbox = process.inbox()
  local all = process.with_context({})
  for i = 1, messages do all = all:with_message("first", i) end
  local named = {}
  for i = 1, names do named[i] = all:with_name(name .. "/" .. tostring(i)) end
  process.send(to, "ready")
  inbox:receive()
  for i = 1, names do
    local pid, err = named[i]:spawn("app:holder", HOST, to, claimers)
    local ok
    if pid then ok, err = process.send(pid, "last") end
    if not ok then process.send(to, "refused", tostring(err)) end
  end
end

return { main = main }
