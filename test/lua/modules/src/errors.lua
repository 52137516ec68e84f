local check = require("check")

local function main()
    local kinds = { NOT_FOUND = "NotFound", ALREADY_EXISTS = "AlreadyExists", INVALID = "Invalid", PERMISSION_DENIED = "PermissionDenied",
        UNAVAILABLE = "Unavailable", INTERNAL = "Internal", CANCELED = "Canceled", CONFLICT = "Conflict", TIMEOUT = "Timeout",
        RATE_LIMITED = "RateLimited", UNKNOWN = "" }
    for name, text in pairs(kinds) do check.equal(name, errors[name], text) end

    local e = errors.new("plain")
    check.equal("message", e:message(), "plain")
    check.equal("kind", e:kind(), "")
    check.equal("retryable", e:retryable(), nil)
    check.equal("details", e:details(), nil)
    check.equal("type", type(e), "userdata")
    check.equal("text", tostring(e), "plain")
    check.equal("concatenation", e .. 1 .. e, "plain1plain")
    check.equal("two arguments: the first is the message", errors.new("Invalid", "ignored"):message(), "Invalid")

    local details = { field = "name", list = { 1, 2 }, deep = { x = true }, f = print, [1] = "dropped" }
    e = errors.new{ message = "m", kind = errors.CONFLICT, retryable = true, details = details }
    check.equal("kind given", e:kind(), "Conflict")
    check.equal("retryable given", e:retryable(), true)
    local d = e:details()
    check.equal("details: text", d.field, "name")
    check.equal("details: list", d.list[2], 2)
    check.equal("details: nested", d.deep.x, true)
    check.equal("details: function", type(d.f), "string")
    check.equal("details: position", d[1], nil)
    d.field = "changed"
    details.field = "changed"
    check.equal("details are a copy", e:details().field, "name")
    check.equal("any kind is kept", errors.new{ message = "m", kind = "Mine" }:kind(), "Mine")
    check.equal("wrong types are ignored", errors.new{ message = "m", kind = 1, retryable = "x", details = 2 }:kind(), "")
    check.raises("no message", "message field is required", errors.new, {})
    check.raises("message of another type", "message must be a string", errors.new, { message = 1 })
    check.raises("another argument", "expected string or table", errors.new, true)

    local w = errors.wrap(e, "reading")
    check.equal("wrap: kind", w:kind(), "Conflict")
    check.equal("wrap: retryable", w:retryable(), true)
    check.equal("wrap: details", w:details().field, "name")
    check.equal("wrap: text", tostring(w), "reading: m")
    check.equal("wrap: message", w:message(), "reading: m")
    check.equal("wrap twice", tostring(errors.wrap(w, errors.new("ctx"))), "ctx: reading: m")
    check.equal("wrap a text", tostring(errors.wrap("cause", "ctx")), "ctx: cause")
    check.raises("wrap something else", "expected string or error object", errors.wrap, 1, "ctx")
    check.raises("wrap with something else", "expected string or error object", errors.wrap, "cause", {})

    check.equal("is", errors.is(e, errors.CONFLICT), true)
    check.equal("is another", errors.is(e, errors.INVALID), false)
    check.equal("is: wrapped", errors.is(w, "Conflict"), true)
    check.equal("is: a text", errors.is("Conflict", "Conflict"), false)
    check.equal("is: nil", errors.is(nil, ""), false)
    check.raises("is: kind", "string expected", errors.is, e, {})

    local stack = errors.call_stack(e)
    check.equal("call_stack: thread", type(stack.thread), "string")
    check.equal("call_stack: level", stack.frames[1].level, 0)
    check.equal("call_stack: source", stack.frames[1].source, "app:errors")
    check.equal("call_stack: line", math.type(stack.frames[1].line), "integer")
    check.equal("call_stack of a text", errors.call_stack("x"), nil)
    check.yes("stack", w:stack():find("app:errors", 1, true))
    check.yes("stack: context", w:stack():find("reading", 1, true))
    check.equal("equality is identity", errors.new("a") == errors.new("a"), false)

    local ok, caught = pcall(error, e)
    check.equal("raised as it is", caught, e)
    return check.over()
end

return { main = main }
