local fs = require("fs")

local function main(how: string)
    local vol = fs.get("app:data")
    if how == "return" then
        vol:open("large", "r")
        return
    end
    while true do
        if how == "read" then vol:readfile("large") end
        if how == "list" then for e in vol:readdir("names") do vol:exists(e.name) end end
        if how == "copy" then vol:writefile("copy" .. process.pid():gsub("[^%w]", ""), vol:open("large", "r")) end
        if how == "open" then
            local f = vol:open("large", "r")
            local sc = f:scanner("bytes")
            for i = 1, 100 do sc:scan() end
        end
    end
end

return { main = main }
