-- A program that lists only `contract` may still start calls without waiting.
local contract = require("contract")
local io = require("io")

return { main = function()
  local f = assert(contract.open("app:polite")):greet_async("hi")
  io.print(f:response():receive():data())
end }
