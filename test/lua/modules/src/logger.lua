local check = require("check")
local logger = require("logger")

local function main()
    check.equal("nothing is returned", select("#", logger:info("plain words")), 0)
    logger:debug("too detailed")
    logger:warn("with fields", { answer = 42, deep = { list = { 1, 2 } }, [1] = "skipped", e = errors.new("an error's text") })
    logger:with({ request = "r1" }):info("of a child", { more = true })
    local fields = { error = "what went wrong", kept = 1 }
    logger:error("failed", fields)
    check.equal("the error field is taken out", fields.error, nil)
    check.equal("the others stay", fields.kept, 1)
    logger:named("outer"):named("inner"):info("named")
    check.raises("message", "string expected", logger.info, logger, {})
    check.raises("fields", "table expected", logger.info, logger, "m", "x")
    check.raises("empty name", "name cannot be empty", logger.named, logger, "")
    return check.over()
end

return { main = main }
