-- What is neither a file nor a folder must neither be opened nor stop anybody.
local check = require("check")
local fs = require("fs")

local function main()
    local vol = fs.get("app:data")
    for _, path in ipairs({ "fifo", "socket", "device" }) do
        if vol:exists(path) then
            for _, mode in ipairs({ "r", "w", "a" }) do
                local f, e = vol:open(path, mode)
                check.equal("open " .. path .. " " .. mode, tostring(f) .. e:kind(), "nilNotFound")
            end
            check.equal("read " .. path, (vol:readfile(path)), nil)
            check.equal("write " .. path, (vol:writefile(path, "x")), false)
            check.equal("stat " .. path, vol:stat(path).type, "file")
        end
    end
    check.equal("the FIFO is there", vol:exists("fifo"), true)
    check.equal("read a folder", (vol:readfile("/")), nil)
    check.equal("write a folder", (vol:writefile("/", "x")), false)
    check.equal("a file as a folder", (vol:readfile("plain/x")), nil)
    check.equal("a slash behind a file", vol:readfile("plain/"), "plain")
    return check.over()
end

return { main = main }
