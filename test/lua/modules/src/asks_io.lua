local io = require("io")

local function main()
    for _, name in ipairs({ "print", "eprint", "write", "flush", "read", "readline", "raw" }) do
        local v, e = io[name](name ~= "read" and name ~= "raw" and "x" or nil)
        if v ~= nil or e:kind() ~= errors.UNAVAILABLE or e:message() ~= "no terminal context" then return name .. ": " .. tostring(e) end
    end
    return #io.args() == 0 and "ok" or "args"
end

return { main = main }
