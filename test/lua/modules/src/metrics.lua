local check = require("check")
local metrics = require("metrics")

local function main()
    check.equal("counter_inc", metrics.counter_inc("requests", { path = "/", code = "200" }), true)
    check.equal("counter_inc: no labels", metrics.counter_inc("requests"), true)
    check.equal("counter_add", metrics.counter_add("requests", 2.5, { path = "/", code = "200" }), true)
    check.equal("gauge_set", metrics.gauge_set("level", -3), true)
    check.equal("gauge_inc", metrics.gauge_inc("level"), true)
    check.equal("gauge_dec", metrics.gauge_dec("level", { a = "b" }), true)
    check.equal("histogram", metrics.histogram("seconds", 0.25, { path = "/" }), true)
    check.equal("labels that are no texts are left out", metrics.counter_inc("requests", { path = 1, [1] = "x", ok = true }), true)
    check.equal("odd names", metrics.counter_inc("requests.by-host 1", { ["a.b"] = "x" }), true)

    local v, err = metrics.gauge_set("requests", 1)
    check.failed("another type", v, err, errors.INVALID, "is a counter, not a gauge")
    v, err = metrics.counter_add("requests", -1)
    check.failed("a counter goes up", v, err, errors.INVALID, "only goes up")
    v, err = metrics.gauge_set("level", 0 / 0)
    check.failed("not a number", v, err, errors.INVALID, "not a number")
    v, err = metrics.counter_inc("")
    check.failed("no name", v, err, errors.INVALID, "name")
    v, err = metrics.counter_inc("a\0b")
    check.failed("NUL", v, err, errors.INVALID, "NUL")
    local many = {}
    for i = 1, 40 do many["l" .. i] = "v" end
    v, err = metrics.counter_inc("requests", many)
    check.failed("many labels", v, err, errors.INVALID, "at most 32 labels")
    v, err = metrics.counter_inc("requests", { a = string.rep("x", 2000) })
    check.failed("a long label", v, err, errors.INVALID, "1024")
    check.raises("name", "string expected", metrics.counter_inc, {})
    check.raises("value", "number expected", metrics.gauge_set, "level", "1")
    check.raises("value missing", "number expected", metrics.histogram, "seconds")
    check.raises("labels", "table expected", metrics.counter_inc, "requests", "x")
    -- More series than there may be: no error, and the program goes on.
    for i = 1, 11000 do metrics.counter_inc("flood", { i = tostring(i) }) end
    check.equal("after the flood", metrics.counter_inc("requests"), true)
    return check.over()
end

return { main = main }
