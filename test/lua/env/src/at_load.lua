-- Looked up while the chunk is loaded, where nothing can wait.
local env = require("env")
local io = require("io")

local saved = env.get("SAVED")
local outside = env.get("outside")

local function main()
    io.print(saved .. ", " .. outside)
    return 0
end

return { main = main }
