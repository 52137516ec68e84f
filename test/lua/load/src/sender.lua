-- Sends numbers 1..amount to each of the receivers, in turn, and now and then lets others run.
local function main(receivers, amount)
  local me = process.pid()
  for i = 1, amount do
    for _, pid in ipairs(receivers) do
      assert(process.send(pid, i % 2 == 0 and "even" or "odd", { from = me, number = i }))
    end
    if i % 7 == 0 then coroutine.yield() end
  end
end

return { main = main }
