-- Sets, rendering, the words of errors.
local templates = require("templates")
local check = require("check")

local function failed(what, value, err, kind, text)
    check.equal(what .. ": value", value, nil)
    check.equal(what .. ": kind", err and err:kind(), kind)
    check.equal(what .. ": text", err and err:message(), text)
end

local function main()
    local set, err = templates.get("app:pages")
    check.equal("no error", err, nil)
    check.equal("rendered", set:render("welcome", { name = "Ann & Bob", items = { "x", "<y>" } }),
        "<h1>Hello Ann &amp; Bob</h1>0:X 1:&lt;Y&gt; ")
    check.equal("by id", set:render("app:welcome", { name = "A", items = {} }), "<h1>Hello A</h1>")
    local value
    value, err = set:render("nowhere", {})
    failed("unknown", value, err, "NotFound", "template not found: nowhere")
    value, err = set:render("", {})
    failed("empty", value, err, "Invalid", "template name is required")
    value, err = set:render("broken_at_run")
    failed("failing", value, err, "Internal", "template broken_at_run: 'nobody' is not known here (1:4)")
    value, err = templates.get("")
    failed("no id", value, err, "Invalid", "template set id is required")
    value, err = templates.get("app:none")
    failed("no set", value, err, "Internal", "resource not found: app:none")
    value, err = templates.get("app:terminal")
    check.equal("not a set: kind", err:kind(), "Internal")
    check.equal("release", set:release(), true)
    check.equal("release again", set:release(), true)
    value, err = set:render("welcome", {})
    failed("released", value, err, "Internal", "template set is released")
    check.equal("misuse raises", pcall(templates.get, 5), false)
    return check.over()
end

return { main = main }
