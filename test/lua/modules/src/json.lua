local json = require("json")
local check = require("check")

local person = {
    type = "object",
    properties = {
        name = { type = "string", minLength = 1, maxLength = 5, pattern = "^[A-Z]\\w*$" },
        age = { type = "integer", minimum = 18, exclusiveMaximum = 150 },
        tags = { type = "array", items = { type = "string" }, uniqueItems = true, maxItems = 3 },
        extra = { type = "object" },
        list = { type = "array" },
    },
    required = { "name" },
    additionalProperties = false,
}

local function refused(words, schema, data)
    local v, err = json.validate(schema, data)
    check.failed(words, v, err, errors.INVALID, words, false)
    if err then
        check.yes("says that it failed", string.find(err:message(), "validation failed: ", 1, true))
    end
end

local function accepted(what, schema, data)
    local v, err = json.validate(schema, data)
    check.equal(what, v, true)
    check.equal(what .. ": no error", err and err:message(), nil)
end

local function tables()
    accepted("person", person, { name = "Ann", age = 18, tags = { "a", "b" } })
    accepted("empty tables are either", person, { name = "Ann", extra = {}, list = {} })
    accepted("1.0 is an integer", person, { name = "Ann", age = 20.0 })
    accepted("anything", {}, { 1, 2 })
    accepted("schema as text", '{"type":"integer"}', 5)
    refused("at '/name': minLength", person, { name = "" })
    refused("at '/name': maxLength", person, { name = "Annabel" })
    refused("at '/name': pattern", person, { name = "ann" })
    refused("at '/age': minimum", person, { name = "Ann", age = 17 })
    refused("at '/age': exclusiveMaximum", person, { name = "Ann", age = 150 })
    refused("at '/age': type", person, { name = "Ann", age = 20.5 })
    refused("at '/tags': uniqueItems", person, { name = "Ann", tags = { "a", "a" } })
    refused("at '/tags/1': type", person, { name = "Ann", tags = { "a", 5 } })
    refused("at '': required: 'name' is missing", person, {})
    refused("additionalProperties: 'other' is not allowed", person, { name = "Ann", other = 1 })
    refused("at '': type", person, { "Ann" })
    refused("minimum", { minimum = 3 }, 2)
    -- Several reasons, all named; the data are not.
    local _, err = json.validate(person, { name = "secret value", age = 3 })
    check.yes("both", string.find(err:message(), "maxLength", 1, true) and string.find(err:message(), "minimum", 1, true))
    check.equal("no data", string.find(err:message(), "secret", 1, true), nil)
    refused("anyOf", { anyOf = { { type = "string" }, { minimum = 5 } } }, 3)
    refused("oneOf", { oneOf = { { type = "integer" }, { minimum = 2 } } }, 3)
    refused("not", { ["not"] = { type = "integer" } }, 3)
    refused("enum", { enum = { 1, "x" } }, 2)
    refused("const", { const = { a = { 1 } } }, { a = { 2 } })
    accepted("const", { const = { a = { 1 } } }, { a = { 1.0 } })
    local tree = { ["$ref"] = "#/$defs/node", ["$defs"] = {
        node = { type = "object", properties = { value = { type = "number" }, next = { ["$ref"] = "#/$defs/node" } }, required = { "value" } } } }
    accepted("recursion", tree, { value = 1, next = { value = 2, next = { value = 3 } } })
    refused("at '/next/next': required", tree, { value = 1, next = { value = 2, next = { x = 3 } } })
    refused("nested too deeply", { ["$ref"] = "#" }, 1)
    refused("too deeply", { ["not"] = { ["$ref"] = "#" } }, 1)
end

local function texts()
    check.equal("good", json.validate_string(person, '{"name":"Ann","extra":{},"list":[]}'), true)
    local v, err = json.validate_string(person, '{"name":"Ann","extra":[]}')
    check.failed("in text the two differ", v, err, errors.INVALID, "at '/extra': type", false)
    v, err = json.validate_string(person, '{"name":"Ann","list":{}}')
    check.failed("in text the two differ", v, err, errors.INVALID, "at '/list': type", false)
    check.equal("null", json.validate_string({ type = "null" }, "null"), true)
    v, err = json.validate_string(person, "{")
    check.failed("syntax", v, err, errors.INVALID, "1:", false)
    v, err = json.validate_string(person)
    check.failed("no data", v, err, errors.INVALID, "data is required", false)
    v, err = json.validate_string(person, {})
    check.failed("no text", v, err, errors.INVALID, "data must be a JSON string", false)
    v, err = json.validate_string(person, 5)
    check.failed("no text", v, err, errors.INVALID, "data must be a JSON string", false)
end

local function schemas()
    for _, f in ipairs({ json.validate, json.validate_string }) do
        local v, err = f(nil, "1")
        check.failed("no schema", v, err, errors.INVALID, "schema is required", false)
        v, err = f(5, "1")
        check.failed("number", v, err, errors.INVALID, "schema must be a string or table", false)
        for _, bad in ipairs({ "{", "5", '{"type":"strnig"}', '{"minimum":"x"}', '{"pattern":"("}', '{"pattern":"(?=x)"}', '{"$ref":"#/none"}',
            '{"$ref":"https://example.com/x"}', '{"items":[{}]}', '{"required":[1]}', '{"unevaluatedProperties":false}', '{"allOf":[]}' }) do
            v, err = f(bad, "1")
            check.failed("schema " .. bad, v, err, errors.INVALID, "compile schema: ", false)
        end
    end
    local v, err = json.validate(person)
    check.failed("no data", v, err, errors.INVALID, "data is required", false)
    -- More than the cache holds, twice.
    for _ = 1, 2 do
        for i = 1, 250 do
            check.equal("many schemas", json.validate({ const = i }, i), true)
            check.equal("many schemas", (json.validate({ const = i }, i + 1)), false)
        end
    end
    -- Quick on what is slow for others.
    local start = os.clock()
    json.validate({ pattern = "^(a+)+$" }, string.rep("a", 20000) .. "!")
    local many = {}
    for i = 1, 20000 do
        many[i] = { i }
    end
    check.equal("unique", json.validate({ uniqueItems = true }, many), true)
    check.yes("not slow", os.clock() - start < 5)
end

local function codec()
    check.equal("encode", json.encode({ 1, { a = json.decode("{}") } }), '[1,{"a":{}}]')
    check.equal("decode", json.decode('{"a":[1,2]}').a[2], 2)
    local v, err = json.decode("")
    check.failed("empty", v, err, errors.INVALID, "empty string is not valid JSON")
    v, err = json.encode({ 1, x = 2 })
    check.failed("mixed", v, err, errors.INTERNAL, "mixed-key")
end

local function main()
    tables()
    texts()
    schemas()
    codec()
    return check.over()
end

return { main = main }
