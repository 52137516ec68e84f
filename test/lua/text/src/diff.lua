-- text.diff: changes, summaries, patches that fit exactly, nearly and not at all.
local text = require("text")
local check = require("check")

local signs = { equal = "=", delete = "-", insert = "+" }

local function shown(changes)
    local out = {}
    for i, c in ipairs(changes) do out[i] = signs[c.operation] .. c.text end
    return table.concat(out, "|")
end

local function main()
    local d = text.diff.new()
    local long = "The quick brown fox jumps over the lazy dog. It was a bright cold day in April."
    check.equal("same", shown(d:compare("abc", "abc")), "=abc")
    check.equal("both empty", #d:compare("", ""), 0)
    check.equal("insert", shown(d:compare("ac", "abc")), "=a|+b|=c")
    check.equal("delete", shown(d:compare("abc", "ac")), "=a|-b|=c")
    check.equal("replace", shown(d:compare("abc", "axc")), "=a|-b|+x|=c")
    check.equal("all", shown(d:compare("abc", "xyz")), "-abc|+xyz")
    check.equal("characters", shown(d:compare("é", "è")), "-é|+è")
    check.equal("minimal", shown(d:compare("abcabba", "cbabac")) ~= "", true)
    local changes = d:compare("one two three", "one 2 three four")
    local old, new = "", ""
    for _, c in ipairs(changes) do
        if c.operation ~= "insert" then old = old .. c.text end
        if c.operation ~= "delete" then new = new .. c.text end
    end
    check.equal("rebuilds old", old, "one two three")
    check.equal("rebuilds new", new, "one 2 three four")
    local sum = d:summarize(d:compare("aéc", "axc"))
    check.equal("summary", sum.equals .. " " .. sum.deletions .. " " .. sum.insertions, "2 2 1")
    check.equal("pretty", d:pretty_text(d:compare("ab", "ac")), "a\27[31mb\27[0m\27[32mc\27[0m")
    check.equal("html", d:pretty_html(d:compare("a<\n", "a<b")),
        '<span>a&lt;</span><del style="background:#ffe6e6;">&para;<br></del><ins style="background:#e6ffe6;">b</ins>')
    local changed = long:gsub("quick", "slow"):gsub("cold", "warm")
    local patches, err = d:patch_make(long, changed)
    check.equal("no error", err, nil)
    check.equal("two patches", #patches, 2)
    check.equal("place", patches[1].start1, 1)
    local got, ok = d:patch_apply(patches, long)
    check.equal("applied", got, changed)
    check.equal("all fit", ok, true)
    got, ok = d:patch_apply(patches, "Intro. " .. long)
    check.equal("moved", got, "Intro. " .. changed)
    check.equal("moved fits", ok, true)
    got, ok = d:patch_apply(patches, (long:gsub("brown", "browne"):gsub("The", "A")))
    check.equal("near", got, (changed:gsub("brown", "browne"):gsub("The", "A")))
    check.equal("near fits", ok, true)
    got, ok = d:patch_apply(patches, "something else entirely, 0123456789")
    check.equal("far", got, "something else entirely, 0123456789")
    check.equal("far does not fit", ok, false)
    got, ok = text.diff.new({ match_threshold = 0 }):patch_apply(patches, "x" .. long)
    check.equal("only exact", ok, false)
    patches = d:patch_make("", "new")
    check.equal("from nothing", d:patch_apply(patches, ""), "new")
    check.equal("to nothing", d:patch_apply(d:patch_make("old", ""), "old"), "")
    local value
    value, err = d:summarize({ { operation = "odd", text = "x" } })
    check.equal("odd change", err:kind(), "Invalid")
    value, err = d:patch_apply({ { start1 = 1 } }, "x")
    check.equal("odd patch", err:kind(), "Invalid")
    value, err = d:compare(string.rep("a", 2 * 1024 * 1024), "b")
    check.equal("too long", err:kind(), "Invalid")
    check.equal("misuse", pcall(d.compare, d, 1, 2), false)
    -- Much that differs: still right.
    local a, b = {}, {}
    for i = 1, 3000 do
        a[i] = tostring(i * 7919 % 1000)
        b[i] = tostring(i * 104729 % 1000)
    end
    local x, y = table.concat(a, " "), table.concat(b, " ")
    old, new = {}, {}
    for _, c in ipairs(text.diff.new({ diff_timeout = 0.05 }):compare(x, y)) do
        if c.operation ~= "insert" then old[#old + 1] = c.text end
        if c.operation ~= "delete" then new[#new + 1] = c.text end
    end
    check.equal("large old", table.concat(old) == x, true)
    check.equal("large new", table.concat(new) == y, true)
    return check.over()
end

return { main = main }
