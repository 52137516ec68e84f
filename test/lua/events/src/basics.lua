-- Subscribing, sending, patterns, closing, the words of errors.
local channel = require("channel")
local events = require("events")
local check = require("check")
local time = require("time")

local function failed(what, value, err, kind, text)
    check.equal(what .. ": value", value, nil)
    check.equal(what .. ": kind", err and err:kind(), kind)
    check.equal(what .. ": text", err and err:message(), text)
    check.equal(what .. ": retryable", err and err:retryable(), false)
end

-- The next value, or "none" after a moment without one.
local function next_of(ch)
    local r = channel.select{ ch:case_receive(), time.after("100ms"):case_receive() }
    if r.channel ~= ch then return "none" end
    return r.value
end

local function receiving()
    local sub, err = events.subscribe("orders")
    check.equal("no error", err, nil)
    local ch = sub:channel()
    check.equal("same channel each time", sub:channel(), ch)
    local ok, none = events.send("orders", "created", "app:one", { id = 1 })
    check.equal("sent", ok, true)
    check.equal("sent without error", none, nil)
    events.send("orders", "created", "app:two")
    local e = ch:receive()
    check.equal("system", e.system, "orders")
    check.equal("kind", e.kind, "created")
    check.equal("path", e.path, "app:one")
    check.equal("data", e.data.id, 1)
    e = ch:receive()
    check.equal("second", e.path, "app:two")
    check.equal("no data", e.data, nil)
    local fields = 0
    for _ in pairs(e) do fields = fields + 1 end
    check.equal("three fields without data", fields, 3)
    check.equal("close", sub:close(), true)
    check.equal("close again", sub:close(), true)
    local value, open = ch:receive()
    check.equal("closed channel: value", value, nil)
    check.equal("closed channel: ok", open, false)
    check.equal("the channel is still there", sub:channel(), ch)
    events.send("orders", "created", "app:three")
    value, open = ch:receive()
    check.equal("nothing after close", open, false)
end

-- Which of these kinds does a pattern let through?
local function heard(system, kind, sends)
    local sub = events.subscribe(system, kind)
    for _, s in ipairs(sends) do events.send(s[1], s[2], "p") end
    events.send("end", "end", "end")
    local text = ""
    while true do
        local e = next_of(sub:channel())
        if e == "none" or e.system == "end" then break end
        text = text .. e.system .. "/" .. e.kind .. " "
    end
    sub:close()
    return text
end

local function patterns()
    local sends = {
        { "orders", "orders" }, { "orders", "orders.created" }, { "orders", "orders.a.b" }, { "orders", "orders." },
        { "orders", "ordersx" }, { "order", "*" }, { "orders", "**" }, { "orders", "a.orders" }, { "orders", "orders.*x" },
    }
    local all = "orders/orders orders/orders.created orders/orders.a.b orders/orders. orders/ordersx orders/** orders/a.orders orders/orders.*x "
    check.equal("kind nil", heard("orders", nil, sends), all)
    check.equal("kind empty", heard("orders", "", sends), all)
    check.equal("kind *", heard("orders", "*", sends), all)
    check.equal("kind exact", heard("orders", "orders", sends), "orders/orders ")
    check.equal("kind prefix", heard("orders", "orders.*", sends), "orders/orders.created orders/orders.a.b orders/orders. orders/orders.*x ")
    check.equal("kind ** is itself", heard("orders", "**", sends), "orders/** ")
    check.equal("kind alternatives are themselves", heard("orders", "(orders|ordersx)", sends), "")
    check.equal("kind inner * is itself", heard("orders", "orders.*x", sends), "orders/orders.*x ")
    check.equal("leading * is itself", heard("orders", "*.orders", sends), "")
    check.equal("system prefix", heard("order*", "orders", { { "orders", "orders" }, { "order", "orders" }, { "o", "orders" } }), "orders/orders order/orders ")
    check.equal("system **", heard("**", "orders", sends), "")
    check.equal("system *", heard("*", "orders", { { "a", "orders" }, { "b", "x" }, { "c.d", "orders" } }), "a/orders c.d/orders ")
end

local function confirmed()
    -- Events sent before are not heard, those after are, however quickly.
    events.send("confirm", "k", "before")
    local one, two = events.subscribe("confirm"), events.subscribe("confirm")
    events.send("confirm", "k", "after")
    check.equal("first", one:channel():receive().path, "after")
    check.equal("second", two:channel():receive().path, "after")
    one:close()
    events.send("confirm", "k", "later")
    check.equal("the other goes on", two:channel():receive().path, "later")
    check.equal("the closed one is over", select(2, one:channel():receive()), false)
    -- Closing the channel ends the subscription, too.
    two:channel():close()
    events.send("confirm", "k", "last")
    time.sleep("20ms")
    check.equal("closed by its channel", select(2, two:channel():receive()), false)
    check.equal("close after that", two:close(), true)
    local three = events.subscribe("confirm")
    events.send("confirm", "k", "buffered")
    time.sleep("50ms")
    three:close()
    local e, ok = three:channel():receive()
    check.equal("what was buffered can still be taken", e and e.path, "buffered")
    check.equal("and is a value", ok, true)
    check.equal("then it is closed", select(2, three:channel():receive()), false)
end

local function unlisten()
    local sub = events.subscribe("unlisten")
    local ok, err = process.unlisten(sub:channel())
    check.equal("unlisten is for listen", ok, false)
    check.equal("unlisten: words", err and err:message(), "channel not found")
    events.send("unlisten", "k", "p")
    check.equal("still subscribed", sub:channel():receive().path, "p")
    sub:close()
end

local function words()
    local sub, err = events.subscribe("")
    failed("empty pattern", sub, err, errors.INVALID, "system pattern is required")
    local ok
    ok, err = events.send("", "k", "p")
    failed("empty system", ok, err, errors.INVALID, "system is required")
    ok, err = events.send("s", "", "p")
    failed("empty kind", ok, err, errors.INVALID, "kind is required")
    ok, err = events.send("s", "k", "")
    failed("empty path", ok, err, errors.INVALID, "path is required")
    ok, err = events.send(string.rep("s", 1025), "k", "p")
    failed("long system", ok, err, errors.INVALID, "system is longer than 1024 bytes")
    ok, err = events.send("s", "k", string.rep("p", 4097))
    failed("long path", ok, err, errors.INVALID, "path is longer than 4096 bytes")
    sub, err = events.subscribe("s", string.rep("k", 1025))
    failed("long pattern", sub, err, errors.INVALID, "kind pattern is longer than 1024 bytes")
    ok, err = events.send("s\0t", "k", "p")
    failed("NUL", ok, err, errors.INVALID, "system holds a NUL byte")
    check.equal("longest", (events.send(string.rep("s", 1024), "k", string.rep("p", 4096))), true)
    for what, f in pairs({
        ["no system"] = function() events.subscribe() end,
        ["system is a table"] = function() events.subscribe({}) end,
        ["kind is a table"] = function() events.subscribe("s", {}) end,
        ["no path"] = function() events.send("s", "k") end,
        ["path is a boolean"] = function() events.send("s", "k", true) end,
    }) do
        check.equal(what .. " raises", (pcall(f)), false)
    end
end

local function main()
    receiving()
    patterns()
    confirmed()
    unlisten()
    words()
    return check.over()
end

return { main = main }
