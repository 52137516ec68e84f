-- A function that handles requests, called by somebody else.
local funcs = require("funcs")
local http = require("http")
local io = require("io")

local function main()
    local result, err = funcs.call("app:kept")
    io.print(err and err:message() or result[1].message .. "|" .. result[2].message)
    local _, own = http.request()
    io.print(own:kind() .. "|" .. own:message() .. "|" .. tostring(own:retryable()))
    return 0
end

return { main = main }
