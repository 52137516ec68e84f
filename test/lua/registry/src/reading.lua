-- parse_id, get, find, snapshots, build_delta.
local registry = require("registry")
local check = require("check")

local function ids(list)
    local out = {}
    for i, e in ipairs(list) do
        out[i] = e.id
    end
    return table.concat(out, " ")
end

local function failed(what, value, err, kind, text)
    check.equal(what .. ": value", value, nil)
    check.equal(what .. ": kind", err and err:kind(), kind)
    check.equal(what .. ": text", err and err:message(), text)
    check.equal(what .. ": retryable", err and err:retryable(), false)
end

local function parse()
    for _, case in ipairs({ { "a:b", "a", "b" }, { "b", "", "b" }, { "a:b:c", "a", "b:c" }, { "", "", "" } }) do
        local id = registry.parse_id(case[1])
        check.equal("ns of " .. case[1], id.ns, case[2])
        check.equal("name of " .. case[1], id.name, case[3])
    end
    check.equal("a number raises", pcall(registry.parse_id, {}), false)
end

local function get()
    local e, err = registry.get("app:plain")
    check.equal("no error", err, nil)
    check.equal("id", e.id, "app:plain")
    check.equal("kind", e.kind, "registry.entry")
    check.equal("meta", e.meta.team, "infra")
    check.equal("data", e.data.b.c[2], 2)
    e.meta.team = "mine"
    check.equal("a copy", registry.get("app:plain").meta.team, "infra")
    check.equal("meta is always a table", type(registry.get("app:bare").meta), "table")
    local none
    none, err = registry.get("app:none")
    failed("absent", none, err, "NotFound", "entry not found: app:none")
    check.equal("a table raises", pcall(registry.get, {}), false)
end

local function find()
    local cases = {
        { { [".id"] = "app:plain" }, "app:plain" },
        { { [".kind"] = "registry.entry" }, "app:bare app:plain" },
        { { [".kind"] = "registry.*", [".name"] = "pl*n" }, "app:plain" },
        { { [".kind"] = "*.host" }, "app:processes app:terminal" },
        { { [".ns"] = "app", [".name"] = "bare" }, "app:bare" },
        { { ["meta.team"] = "infra" }, "app:plain" },
        { { ["meta.size"] = 3 }, "app:plain" },
        { { ["meta.size"] = "3" }, "" },
        { { ["~meta.note"] = "^hel+o\\b" }, "app:plain" },
        { { ["*meta.note"] = "o w" }, "app:plain" },
        { { ["*meta.tags"] = "ree" }, "app:plain" },
        { { ["^meta.note"] = "hello" }, "app:plain" },
        { { ["$meta.note"] = "world" }, "app:plain" },
        { { ["$meta.note"] = "hello" }, "" },
        { { meta = { ["meta.team"] = "infra" } }, "app:plain" },
        { { ["meta.none"] = "x" }, "" },
    }
    for i, case in ipairs(cases) do
        local found, err = registry.find(case[1])
        check.equal("no error " .. i, err, nil)
        check.equal("filter " .. i, ids(found), case[2])
    end
    local all = #registry.find({})
    check.equal("everything", all > 10, true)
    -- What is no criterion is ignored.
    check.equal("a key without a dot", #registry.find({ kind = "x" }), all)
    check.equal("a nested key without a prefix", #registry.find({ meta = { team = "x" } }), all)
    check.equal("a wrong type", #registry.find({ [".kind"] = 7 }), all)
    check.equal("an invalid expression", #registry.find({ ["~meta.note"] = "(" }), all)
    check.equal("a text raises", pcall(registry.find, "x"), false)
end

local function snapshots()
    local s, err = registry.snapshot()
    check.equal("no error", err, nil)
    check.equal("text", tostring(s), "registry.Snapshot{version=v0}")
    check.equal("version", s:version():id(), 0)
    local all = s:entries()
    check.equal("entries", #all, #registry.find({}))
    check.equal("get", s:get("app:bare").kind, "registry.entry")
    local none, why = s:get("app:none")
    failed("get of what is not there", none, why, "NotFound", "entry not found: app:none")
    check.equal("find", ids(s:find({ ["meta.team"] = "infra" })), "app:plain")
    check.equal("find gives one value", select("#", s:find({})), 1)
    check.equal("namespace", #s:namespace("app"), #all)
    check.equal("another namespace", #s:namespace("ap"), 0)
    check.equal("changes", tostring(s:changes()), "registry.Changes{ops=0}")
end

local function delta()
    local from = {
        { id = "n:gone", kind = "k" },
        { id = "n:same", kind = "k", data = { x = 1, y = { 2 } }, meta = { m = true } },
        { id = "n:other", kind = "k", data = { x = 1 } },
        { id = "n:kind", kind = "k" },
        { id = "n:leaf", kind = "k", data = { host = "n:gone" } },
        { kind = "no id" },
        { id = "n:nokind" },
        "no entry",
    }
    local to = {
        { id = { ns = "n", name = "same" }, kind = "k", data = { y = { 2.0 }, x = 1.0 }, meta = { m = true } },
        { id = "n:other", kind = "k", data = { x = 2 } },
        { id = "n:kind", kind = "other" },
        { id = "n:top", kind = "k", data = { host = "n:zbase" } },
        { id = "n:zbase", kind = "k" },
    }
    local ops, err = registry.build_delta(from, to)
    check.equal("no error", err, nil)
    local words = {}
    for i, op in ipairs(ops) do
        words[i] = op.kind .. " " .. op.entry.id
    end
    check.equal("delta", table.concat(words, ", "),
        "entry.delete n:leaf, entry.delete n:gone, entry.delete n:kind, entry.create n:kind, entry.update n:other, "
            .. "entry.create n:zbase, entry.create n:top")
    check.equal("the new entry", ops[5].entry.data.x, 2)
    check.equal("nothing to do", #registry.build_delta(to, to), 0)
    -- A circle is no error, and its order does not depend on the order of the lists.
    local a, b = { id = "n:a", kind = "k", data = { host = "n:b" } }, { id = "n:b", kind = "k", data = { host = "n:a" } }
    for _, list in ipairs({ { a, b }, { b, a } }) do
        ops = registry.build_delta({}, list)
        check.equal("circle", ops[1].entry.id .. ops[2].entry.id, "n:an:b")
    end
end

local function main()
    parse()
    get()
    find()
    snapshots()
    delta()
    return check.over()
end

return { main = main }
