-- Starts a process that leaves programs behind, prints their numbers, and lives on until told.
local exec = require("exec")
local io = require("io")
local time = require("time")

local function main(how: string)
    local inbox = process.listen("pids")
    process.spawn("app:leaver", "app:processes", process.pid(), how)
    io.print((inbox:receive()))
    io.readline()
    return 0
end

return { main = main }
