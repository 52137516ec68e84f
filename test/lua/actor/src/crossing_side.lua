-- Makes processes where it runs itself, one for each "make".
local function main(parent)
  local inbox = process.inbox()
  local x = 0
  for i = 1, 3000000 do x = x + i end
  while true do
    inbox:receive()
    process.send(parent, "pid", assert(process.spawn("app:crossing_end", "app:processes")))
  end
end

return { main = main }
