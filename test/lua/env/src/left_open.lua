-- Ends while changes of a file are under way.
local env = require("env")
local io = require("io")

local function main()
    for i = 1, 50 do
        coroutine.spawn(function()
            env.set("SAVED", "by " .. i)
        end)
    end
    env.get("SAVED")
    io.print("left")
    return 0
end

return { main = main }
