-- expr: results, errors, programs.
local expr = require("expr")
local check = require("check")

local function failed(what, value, err, kind, text)
    check.equal(what .. ": value", value, nil)
    check.equal(what .. ": kind", err and err:kind(), kind)
    check.equal(what .. ": text", err and err:message(), text)
end

local function main()
    check.equal("arithmetic", expr.eval("1 + 2 * 3"), 7)
    check.equal("division", expr.eval("10 / 4"), 2.5)
    check.equal("text", expr.eval("name + '!'", { name = "Ann" }), "Ann!")
    check.equal("index from 0", expr.eval("list[0]", { list = { "a", "b" } }), "a")
    check.equal("nil", expr.eval("nothing"), nil)
    check.equal("coalesce", expr.eval("nothing ?? 'x'", {}), "x")
    check.equal("condition", expr.eval("user.age >= 18 and user.name matches '^A'",
        { user = { age = 20, name = "Ann" } }), true)
    local list = expr.eval("filter(items, .n > 1) | map(.n * 10)", { items = { { n = 1 }, { n = 2 }, { n = 3 } } })
    check.equal("list length", #list, 2)
    check.equal("list", list[2], 30)
    check.equal("map", expr.eval("{a: 1, b: [2]}").b[1], 2)
    check.equal("sum", expr.eval("sum(map(orders, .total)) > limit", { orders = { { total = 60 }, { total = 50 } }, limit = 100 }), true)
    -- From the cache, and more than it holds.
    for i = 1, 2500 do
        local source = "n + " .. tostring(i % 1250)
        if expr.eval(source, { n = 1 }) ~= 1 + i % 1250 then check.equal(source, false, true) end
    end
    local value, err = expr.eval("")
    failed("empty", value, err, "Invalid", "expression cannot be empty")
    value, err = expr.compile("")
    failed("empty compiled", value, err, "Invalid", "expression cannot be empty")
    value, err = expr.eval("1 +")
    failed("syntax", value, err, "Internal", "unexpected end of expression (1:4)")
    value, err = expr.compile("a = 1")
    failed("compile", value, err, "Internal", "unexpected = (1:3)")
    value, err = expr.eval("a.b", {})
    failed("run", value, err, "Internal", "cannot fetch b from nil (1:3)")
    value, err = expr.eval("map(1..2000, map(1..2000, #))")
    check.equal("bounded", err:kind(), "Internal")
    local ring = {}
    ring.ring = ring
    value, err = expr.eval("ring", { ring = ring })
    check.equal("cycle", err and err:kind(), "Internal")
    local program
    program, err = expr.compile("n * 2", { n = 0 })
    check.equal("compiled", err, nil)
    check.equal("run", program:run({ n = 4 }), 8)
    check.equal("run again", program:run({ n = 1.5 }), 3)
    value, err = program:run()
    check.equal("without names", err:kind(), "Internal")
    check.equal("misuse raises", pcall(expr.eval, 5), false)
    check.equal("environment", pcall(expr.eval, "1", "x"), false)
    return check.over()
end

return { main = main }
