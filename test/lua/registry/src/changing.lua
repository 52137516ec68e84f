-- Collecting changes and applying them; what goes wrong.
local registry = require("registry")
local check = require("check")

local function failed(what, value, err, kind, text)
    check.equal(what .. ": value", value, nil)
    check.equal(what .. ": kind", err and err:kind(), kind)
    check.equal(what .. ": text", err and err:message(), text)
end

local function new()
    return registry.snapshot():changes()
end

local function builder()
    local c = new()
    local same, err = c:create({ id = "app:x", kind = "registry.entry", meta = { a = 1 }, data = { b = {} } })
    check.equal("the same object", same, c)
    check.equal("no error", err, nil)
    c:update({ id = { ns = "app", name = "y" }, kind = "registry.entry" }):delete("app:z"):delete({ ns = "q", name = "w" })
    check.equal("text", tostring(c), "registry.Changes{ops=4}")
    local words = {}
    for i, op in ipairs(c:ops()) do
        words[i] = op.kind .. " " .. op.entry.id
    end
    check.equal("operations", table.concat(words, ", "),
        "entry.create app:x, entry.update app:y, entry.delete app:z, entry.delete q:w")
    local id_text, kind_text = "convert entry: entry must have valid id field", "convert entry: entry must have kind field"
    local value
    value, err = c:create({ kind = "registry.entry" })
    failed("no id", value, err, "Invalid", id_text)
    value, err = c:create({ id = 7, kind = "registry.entry" })
    failed("a number for an id", value, err, "Invalid", id_text)
    value, err = c:update({ id = { ns = "a" }, kind = "registry.entry" })
    failed("half an id", value, err, "Invalid", id_text)
    value, err = c:create({ id = "app:x" })
    failed("no kind", value, err, "Invalid", kind_text)
    value, err = c:create({ id = string.rep("x", 5000), kind = "registry.entry" })
    failed("a long id", value, err, "Invalid", id_text)
    value, err = c:delete(7)
    failed("delete a number", value, err, "Invalid", "invalid ID format")
    value, err = c:delete({ ns = "a" })
    failed("delete half an id", value, err, "Invalid", "invalid ID format")
    local deep = {}
    for _ = 1, 150 do
        deep = { deep }
    end
    value, err = c:create({ id = "app:deep", kind = "registry.entry", data = deep })
    check.equal("too deep", err and err:kind(), "Invalid")
    local round = {}
    round.self = round
    value, err = c:create({ id = "app:round", kind = "registry.entry", data = round })
    check.equal("contains itself", err and err:kind(), "Invalid")
    check.equal("nothing was added", #c:ops(), 4)
    value, err = new():apply()
    failed("nothing to apply", value, err, "Invalid", "no changes to apply")
    check.equal("a text raises", pcall(c.create, c, "x"), false)
    check.equal("another object raises", pcall(c.create, registry.snapshot(), {}), false)
end

local function applying()
    local before = registry.snapshot()
    local v, err = new():create({ id = "app:x", kind = "registry.entry", meta = { team = "new" }, data = { n = 1 } })
        :create({ id = "bare", kind = "registry.entry" }):apply()
    check.equal("no error", err, nil)
    check.equal("version", v:string(), "v1")
    check.equal("text", tostring(v), "registry.Version{v1}")
    check.equal("there", registry.get("app:x").data.n, 1)
    check.equal("no namespace", registry.get(":bare").id, ":bare")
    check.equal("a snapshot stays", before:get("app:x"), nil)
    check.equal("and its version", before:version():id(), 0)
    check.equal("current", registry.current_version():id(), 1)

    local c = new():update({ id = "app:x", kind = "registry.entry", data = { m = 2 } })
    check.equal("update", c:apply():id(), 2)
    local e = registry.get("app:x")
    check.equal("replaced whole", e.data.n, nil)
    check.equal("meta too", e.meta.team, nil)
    check.equal("twice the same", c:apply():id(), 3)
    check.equal("deleted", new():delete("app:x"):delete(":bare"):apply():id(), 4)
    check.equal("gone", registry.get("app:x"), nil)

    -- Changes go to the current state, whatever snapshot they came from.
    check.equal("stale", before:changes():create({ id = "app:x", kind = "registry.entry" }):apply():id(), 5)
    check.equal("delete and create", new():create({ id = "app:x", kind = "registry.entry", data = { again = true } })
        :delete("app:x"):apply():id(), 6)
    check.equal("it was replaced", registry.get("app:x").data.again, true)
    check.equal("an empty table stays a map", new():update({ id = "app:x", kind = "registry.entry", data = {} }):apply():id(), 7)
    check.equal("clean", new():delete("app:x"):apply():id(), 8)
end

local function refused(what, changes, text)
    local before = registry.current_version():id()
    local n = #registry.find({})
    local value, err = changes:apply()
    failed(what, value, err, "Internal", "apply changes: failed to apply changes: " .. text)
    check.equal(what .. ": version", registry.current_version():id(), before)
    check.equal(what .. ": entries", #registry.find({}), n)
end

local function refusals()
    local entry = "registry.entry"
    refused("create what is there", new():create({ id = "app:ok", kind = entry }):create({ id = "app:plain", kind = entry }),
        "operation failed for entry app:plain: invalid operation: entry already exists: {ns: app, name: plain}")
    refused("update what is not", new():update({ id = "app:none", kind = entry }),
        "unresolved dependencies after retry: app:none: operation failed for entry app:none: invalid operation: "
            .. "entry does not exist: {ns: app, name: none}")
    refused("delete what is not", new():delete("app:none"),
        "unresolved dependencies after retry: app:none: operation failed for entry app:none: invalid operation: "
            .. "cannot delete non-existent entry: {ns: app, name: none}")
    refused("another kind", new():update({ id = "app:plain", kind = "process.host" }),
        "operation failed for entry app:plain: invalid operation: cannot change entry kind from registry.entry to "
            .. "process.host for {ns: app, name: plain}")
    refused("no such kind", new():create({ id = "app:x", kind = "no.such" }),
        "operation failed for entry app:x: field 'kind': no listener for kind 'no.such'; `wippy help kinds` lists those "
            .. "there are")
    refused("no data", new():create({ id = "app:x", kind = "process.host" }),
        "operation failed for entry app:x: configuration data is required")
    refused("code that does not parse", new():create({ id = "app:a", kind = entry })
        :create({ id = "app:x", kind = "function.lua", data = { source = "return (", method = "main" } }),
        "operation failed for entry app:x: app:x at EOF: unexpected end of file, expected an expression")
    check.equal("nothing came of it", registry.get("app:a"), nil)
end

local function main()
    builder()
    applying()
    refusals()
    return check.over()
end

return { main = main }
