local yaml = require("yaml")
local check = require("check")

local function encoding()
    check.equal("sorted, four columns", yaml.encode({ b = 1, a = { y = true, x = "s" }, c = { 1, 2 } }),
        "a:\n    x: s\n    \"y\": true\nb: 1\nc:\n    - 1\n    - 2\n")
    check.equal("two columns with options", yaml.encode({ a = { x = 1 }, l = { "i", { k = 2, j = { 3 } } } }, {}),
        "a:\n  x: 1\nl:\n  - i\n  - j:\n      - 3\n    k: 2\n")
    check.equal("order", yaml.encode({ name = "me", a = 1, z = { kind = 1, name = 2 }, kind = "k" },
        { field_order = { "name", "kind", "none", 5 }, sort_unordered = true }),
        "name: me\nkind: k\na: 1\nz:\n  name: 2\n  kind: 1\n")
    check.equal("empty", yaml.encode({}), "{}\n")
    check.equal("holes", yaml.encode({ 1, nil, 3 }), "- 1\n- null\n- 3\n")
    check.equal("only the sequence counts", yaml.encode({ [2] = "b", x = 1 }), "- null\n- b\n")
    check.equal("other keys", yaml.encode({ [0] = "z", [true] = "t" }), "\"0\": z\n\"true\": t\n")
    check.equal("scalars", yaml.encode({ "yes", "1", 1, 1.5, true, "", "a: b", "x\ny" }),
        "- \"yes\"\n- \"1\"\n- 1\n- 1.5\n- true\n- \"\"\n- \"a: b\"\n- |-\n  x\n  y\n")
    local text = "one\ntwo\n"
    for _, opts in ipairs({ false, {} }) do
        local back = yaml.decode(yaml.encode({ deep = { er = { text = text, list = { { text } } } } }, opts or nil))
        check.equal("blocks", back.deep.er.text, text)
        check.equal("blocks in lists", back.deep.er.list[1][1], text)
    end
    for _, bad in ipairs({ 5, "x", true }) do
        local v, err = yaml.encode(bad)
        check.failed("no table", v, err, errors.INVALID, "table expected")
    end
    local v, err = yaml.encode()
    check.failed("nothing", v, err, errors.INVALID, "table expected")
    local loop = {}
    loop.again = loop
    v, err = yaml.encode(loop)
    check.failed("loop", v, err, errors.INTERNAL, "recursively nested")
    v, err = yaml.encode({ [1000000000] = 1 })
    check.failed("far", v, err, errors.INVALID, "more than 1000000 items")
    local deep = {}
    for _ = 1, 200 do
        deep = { deep }
    end
    v, err = yaml.encode(deep)
    check.failed("deep", v, err, errors.INTERNAL, "nesting depth")
    local wide = { 1 }
    for _ = 1, 30 do
        wide = { wide, wide }
    end
    v, err = yaml.encode(wide)
    check.failed("shared too often", v, err, errors.INTERNAL, "more than 1000000 nodes")
end

local function decoding()
    local v = yaml.decode([[
name: wippy
count: 3
ratio: 0.5
on: true
none: ~
list: [1, two, {three: 3}]
1: one
day: 2001-12-14
utc: 2001-12-15T02:59:43.1Z
zone: 2001-12-14t21:59:43.10-05:00
spaced: 2001-12-14 21:59:43.10 -5
bare: 2001-12-15 2:59:43.10
quoted: "2001-12-14"
wrong: 2001-02-30
almost: 2001-12-14x
2001-01-01: key
]])
    check.equal("string", v.name, "wippy")
    check.equal("integer", v.count, 3)
    check.equal("float", v.ratio, 0.5)
    check.equal("boolean", v.on, true)
    check.equal("null", v.none, nil)
    check.equal("list", v.list[3].three, 3)
    check.equal("key", v["1"], "one")
    check.equal("day", v.day, 1008288000)
    for _, name in ipairs({ "utc", "zone", "spaced", "bare" }) do
        check.equal(name, v[name], 1008385183)
    end
    check.equal("quoted", v.quoted, "2001-12-14")
    check.equal("no such day", v.wrong, "2001-02-30")
    check.equal("almost", v.almost, "2001-12-14x")
    check.equal("a key stays text", v["2001-01-01"], "key")
    check.equal("scalar", yaml.decode("5"), 5)
    check.equal("first document", yaml.decode("--- a\n--- b\n"), "a")
    check.equal("leap day", yaml.decode("2000-02-29"), 951782400)
    check.equal("before 1970", yaml.decode("1969-12-31 23:59:59"), -1)
    local none, err = yaml.decode("")
    check.failed("empty", none, err, errors.INVALID, "input cannot be empty")
    none, err = yaml.decode(5)
    check.failed("no string", none, err, errors.INVALID, "string expected")
    for _, bad in ipairs({ "a: [", "a: b: c", "\tx: 1", "{a: 1, a: 2}", "x: *none" }) do
        none, err = yaml.decode(bad)
        check.failed("syntax: " .. bad, none, err, errors.INTERNAL, "yaml:")
    end
end

local function main()
    encoding()
    decoding()
    return check.over()
end

return { main = main }
