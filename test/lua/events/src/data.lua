-- What data looks like when it arrives.
local events = require("events")
local check = require("check")
local channel = require("channel")

local function main()
    local one, two = events.subscribe("data"), events.subscribe("data")
    local function trip(value)
        assert(events.send("data", "k", "p", value))
        two:channel():receive()
        return one:channel():receive().data
    end
    check.equal("string", trip("text\0with NUL"), "text\0with NUL")
    check.equal("integer", trip(42), 42)
    check.equal("float", trip(1.5), 1.5)
    check.equal("false", trip(false), false)
    check.equal("true", trip(true), true)
    local t = trip({ name = "n", deep = { list = { 1, 2, 3 } } })
    check.equal("map", t.name, "n")
    check.equal("nested", t.deep.list[3], 3)
    check.equal("nested length", #t.deep.list, 3)

    -- Any positive integer key makes an array; string keys go.
    t = trip({ "a", "b", name = "dropped" })
    check.equal("array", t[2], "b")
    check.equal("array: string keys", t.name, nil)
    t = trip({ [3] = "c", name = "dropped" })
    check.equal("sparse", t[3], "c")
    check.equal("sparse: string keys", t.name, nil)
    t = trip({ [0] = "zero", [-1] = "minus", [true] = "yes", [1.5] = "half", name = "kept" })
    check.equal("map: zero", t["0"], "zero")
    check.equal("map: negative", t["-1"], "minus")
    check.equal("map: boolean", t["true"], "yes")
    check.equal("map: float", t["1.5"], "half")
    check.equal("map: string", t.name, "kept")
    check.equal("map: nothing else", t[0], nil)

    check.equal("function", string.match(trip(print), "^(function):"), "function")
    t = trip({ f = print, c = channel.new(), d = errors.new("words"), nested = { print } })
    check.equal("function in a table", string.match(t.f, "^(function):"), "function")
    check.equal("userdata", type(t.c), "string")
    check.equal("error object", t.d, "words")
    check.equal("function in an array", type(t.nested[1]), "string")
    check.equal("coroutine", type(trip(coroutine.create(print))), "string")

    t = trip(setmetatable({ a = 1 }, { __index = { b = 2 } }))
    check.equal("own field", t.a, 1)
    check.equal("no metatable", getmetatable(t), nil)
    check.equal("no metatable: field", t.b, nil)

    local shared = { 1 }
    t = trip({ a = shared, b = shared })
    check.equal("shared", t.a[1] + t.b[1], 2)
    local wide = {}
    for _ = 1, 100 do wide = { a = wide, b = wide } end -- 2^100 as a tree
    check.equal("shared many times", type(trip(wide).a.b.a), "table")
    local circle = {}
    circle.self = circle
    t = trip(circle)
    check.equal("circle", t.self.self, t)
    check.equal("library", type(trip(string).format), "string")

    local deep = {}
    for _ = 1, 300 do deep = { deep } end
    local ok, err = events.send("data", "k", "p", deep)
    check.equal("too deep", ok, nil)
    check.equal("too deep: kind", err and err:kind(), errors.INVALID)

    -- Each subscriber has a copy of its own, and none is the sender's.
    local mine = { n = 1 }
    events.send("data", "k", "p", mine)
    mine.n = 2
    local a, b = one:channel():receive(), two:channel():receive()
    a.data.n = 3
    a.kind = "changed"
    check.equal("own copy", b.data.n, 1)
    check.equal("own event", b.kind, "k")
    check.equal("the sender's", mine.n, 2)
    return check.over()
end

return { main = main }
