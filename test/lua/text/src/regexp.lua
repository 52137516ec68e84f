-- text.regexp: every method, places, replacing, what is refused.
local text = require("text")
local check = require("check")

local function joined(list)
    return list and table.concat(list, "|")
end

local function places(list)
    if not list then return nil end
    local out = {}
    for i, p in ipairs(list) do out[i] = p[1] .. "-" .. p[2] end
    return table.concat(out, "|")
end

local function main()
    local compile = text.regexp.compile
    local re = compile("(?P<user>\\w+)@(\\w+)")
    check.equal("match", re:match_string("ann@home"), true)
    check.equal("no match", re:match_string("ann"), false)
    check.equal("find", re:find_string("to ann@home!"), "ann@home")
    check.equal("find none", re:find_string("x"), nil)
    check.equal("find empty", compile("x*"):find_string("abc"), nil)
    check.equal("find all", joined(re:find_all_string("a@b c@d")), "a@b|c@d")
    check.equal("find all none", #re:find_all_string("x"), 0)
    check.equal("submatch", joined(re:find_string_submatch("a@b")), "a@b|a|b")
    check.equal("submatch none", re:find_string_submatch("x"), nil)
    check.equal("group without part", joined(compile("(a)|(b)"):find_string_submatch("b")), "b||b")
    local all = re:find_all_string_submatch("a@b c@d")
    check.equal("all submatches", #all .. joined(all[2]), "2c@d|c|d")
    check.equal("index", places({ re:find_string_index("to a@b") }), "4-6")
    check.equal("index none", re:find_string_index("x"), nil)
    check.equal("all indexes", places(re:find_all_string_index("a@b c@d")), "1-3|5-7")
    check.equal("all indexes none", re:find_all_string_index("x"), nil)
    check.equal("empty matches", places(compile("a*"):find_all_string_index("baac")), "1-0|2-3|5-4")
    check.equal("replace", re:replace_all_string("a@b, c@d", "$2 at ${user}$$"), "b at a$, d at c$")
    check.equal("replace longest name", compile("a"):replace_all_string("a", "[$0x]"), "[]")
    check.equal("replace empty", compile("x*"):replace_all_string("abc", "-"), "-a-b-c-")
    check.equal("replace none", re:replace_all_string("x", "y"), "x")
    local comma = compile(",")
    check.equal("split", joined(comma:split("a,b,c")), "a|b|c")
    check.equal("split n", joined(comma:split("a,b,c", 2)), "a|b,c")
    check.equal("split 0", #comma:split("a,b,c", 0), 0)
    check.equal("split end", joined(comma:split("a,")), "a|")
    check.equal("split empty text", #comma:split(""), 1)
    check.equal("split characters", joined(compile(""):split("abc")), "a|b|c")
    check.equal("subexp", re:num_subexp(), 2)
    check.equal("names", joined(re:subexp_names()), "|user|")
    check.equal("string", re:string(), "(?P<user>\\w+)@(\\w+)")
    check.equal("utf8", places(compile("."):find_all_string_index("éa")), "1-2|3-3")
    check.equal("no utf8", #compile("."):find_all_string(string.char(255, 97, 195)), 3)
    local value, err = compile("a(b")
    check.equal("refused", value, nil)
    check.equal("refused kind", err:kind(), "Invalid")
    check.equal("refused text", err:message(), "invalid regex pattern: missing closing ) at offset 3")
    value, err = compile("(a)\\1")
    check.equal("back reference", err:message(), "invalid regex pattern: back references are not supported at offset 3")
    local ok = pcall(function()
        return compile("(?:(x+x+)+y|q)[^z]"):match_string(string.rep("x", 100000) .. "q")
    end)
    check.equal("steps", ok, false)
    check.equal("misuse", pcall(compile, 5), false)
    return check.over()
end

return { main = main }
