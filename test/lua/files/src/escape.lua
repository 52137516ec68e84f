-- Every way out that was laid beside this program.
local check = require("check")
local fs = require("fs")
local io = require("io")

local function main()
    local vol = fs.get("app:data")
    for _, path in ipairs({ "..", "../secret", "/../secret", "a/../../secret", "/..", "sub/../../secret", "./../secret", "//../secret" }) do
        for _, method in ipairs({ "readfile", "stat", "mkdir", "remove", "readdir", "chdir" }) do
            local r, e = vol[method](vol, path)
            check.equal(method .. " " .. path, e and e:kind() .. e:message(), "Invalidinvalid path: path traversal not allowed")
        end
        local r, e = vol:writefile(path, "x")
        check.equal("writefile " .. path, tostring(r) .. e:message(), "falseinvalid path: path traversal not allowed")
    end
    for _, path in ipairs({ "a\0b", "\0" }) do
        local r, e = vol:readfile(path)
        check.equal("NUL", e:kind() .. e:message(), "Invalidinvalid path: path contains null byte")
    end
    for _, path in ipairs({ string.rep("n", 256), string.rep("d/", 3000) .. "x", string.rep("n", 100000) }) do
        local r, e = vol:readfile(path)
        check.equal("long name " .. #path, e:kind(), "Invalid")
        check.equal("exists " .. #path, (vol:exists(path)), false)
    end
    check.equal("the longest name", (vol:writefile(string.rep("n", 255), "x")), true)

    -- Links: to a file outside, to a folder outside, absolute, through another link, to itself, magic ones.
    for _, path in ipairs({ "link_out", "link_abs", "dir_out/secret", "dir_abs/secret", "via/secret", "loop", "proc_root/etc/passwd", "proc_self/environ" }) do
        for _, method in ipairs({ "readfile", "stat" }) do
            local r, e = vol[method](vol, path)
            check.equal(method .. " " .. path, tostring(r) .. (e and e:kind() or ""), "nilNotFound")
        end
        check.equal("exists " .. path, (vol:exists(path)), false)
        local r, e = vol:open(path, "r")
        check.equal("open " .. path, tostring(r) .. (e and e:kind() or ""), "nilNotFound")
        check.equal("write " .. path, (vol:writefile(path, "overwritten")), false)
        check.equal("append " .. path, (vol:writefile(path, "overwritten", "a")), false)
    end
    check.equal("make a file outside by a dangling link", (vol:writefile("dangling", "x")), false)
    check.equal("mkdir outside", (vol:mkdir("dir_out/made")), false)
    check.equal("remove outside", (vol:remove("dir_out/secret")), false)
    check.equal("list outside", (vol:readdir("dir_out")), nil)
    check.equal("go outside", (vol:chdir("dir_out")), false)
    -- Removing a link removes the link.
    check.equal("remove a link", (vol:remove("link_out")), true)
    -- Links that stay inside are followed.
    check.equal("a link inside", vol:readfile("link_in"), "inside")
    check.equal("a folder inside", vol:readfile("dir_in/file"), "inside")
    for entry in vol:readdir(".") do
        if entry.name == "dir_abs" then check.equal("a link is listed as a file", entry.type, "file") end
    end
    return check.over()
end

return { main = main }
