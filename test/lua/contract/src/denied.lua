local contract = require("contract")
local io = require("io")

local function show(what, v, err)
  io.print(what .. ": " .. tostring(v) .. " " .. err:kind() .. " " .. err:message())
end

return { main = function()
  show("get", contract.get("app:greeter"))
  show("open", contract.open("app:polite?a=1"))
  show("implementations", contract.find_implementations("app:greeter"))
end }
