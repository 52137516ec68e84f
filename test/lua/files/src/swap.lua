-- Reads and writes what others swap for links to the outside meanwhile; says whether a secret was ever seen.
local fs = require("fs")
local io = require("io")

local function main()
    local vol = fs.get("app:data")
    local inside, refused = 0, 0
    for i = 1, tonumber(io.args()[1]) do
        local text = vol:readfile("swapped/file")
        if text == "inside" then
            inside = inside + 1
        elseif text then
            io.print("seen: " .. text)
            return 1
        else
            refused = refused + 1
        end
        vol:writefile("swapped/written", "w")
        vol:mkdir("swapped/made")
        vol:remove("swapped/made")
        vol:remove("swapped/victim")
    end
    io.print(inside > 0 and refused > 0 and "both" or "inside " .. inside .. ", refused " .. refused)
    return 0
end

return { main = main }
