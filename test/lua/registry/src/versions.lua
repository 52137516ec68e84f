-- Versions, the history, going back and forth.
local registry = require("registry")
local check = require("check")

local function failed(what, value, err, kind, text)
    check.equal(what .. ": value", value, nil)
    check.equal(what .. ": kind", err and err:kind(), kind)
    check.equal(what .. ": text", err and err:message(), text)
end

local function put(op, id, n)
    local c = registry.snapshot():changes()
    if op == "delete" then
        c:delete(id)
    else
        c[op](c, { id = id, kind = "registry.entry", data = { n = n } })
    end
    return c:apply()
end

local function state()
    local a, b, plain = registry.get("app:a"), registry.get("app:b"), registry.get("app:plain")
    return (a and a.data.n or "-") .. " " .. (b and b.data.n or "-") .. " " .. (plain and (plain.data.n or "file") or "-")
end

local function main()
    put("create", "app:a", 1)
    put("update", "app:a", 2)
    put("create", "app:b", 3)
    put("update", "app:plain", 4)
    put("delete", "app:a")
    check.equal("state", state(), "- 3 4")
    local versions, err = registry.versions()
    check.equal("no error", err, nil)
    check.equal("versions", #versions, 6)

    local history = registry.history()
    check.equal("text", tostring(history), "registry.History{}")
    check.equal("the same", #history:versions(), 6)
    local v2 = history:get_version(2)
    check.equal("get_version", v2:string(), "v2")
    check.equal("previous", v2:previous():id(), 1)
    check.equal("next", v2:next():id(), 3)
    check.equal("the first has none before it", history:get_version(0):previous(), nil)
    check.equal("the last has none after it", registry.current_version():next(), nil)
    local none
    none, err = history:get_version(99)
    failed("no such version", none, err, "NotFound", "version not found")
    none, err = history:get_version(-1)
    failed("a negative version", none, err, "Invalid", "invalid version ID")

    -- What was, without going there. What the files say belongs to it.
    local s = registry.snapshot_at(3)
    check.equal("text of a snapshot", tostring(s), "registry.Snapshot{version=v3}")
    check.equal("a then", s:get("app:a").data.n, 2)
    check.equal("plain then", s:get("app:plain").data.n, nil)
    check.equal("of the files", s:get("app:plain").data.a, 1)
    check.equal("by its version", history:snapshot_at(v2):get("app:b"), nil)
    none, err = registry.snapshot_at(0)
    failed("snapshot_at(0)", none, err, "Invalid", "invalid version ID")
    none, err = registry.snapshot_at(99)
    failed("snapshot_at(99)", none, err, "NotFound", "version not found")
    none, err = history:snapshot_at("x")
    failed("snapshot_at of a text", none, err, "Invalid", "expected version object")

    local ok
    ok, err = registry.apply_version(history:get_version(2))
    check.equal("back", ok, true)
    check.equal("no error", err, nil)
    check.equal("state at 2", state(), "2 - file")
    check.equal("current", registry.current_version():id(), 2)
    check.equal("the same again", registry.apply_version(v2), true)
    check.equal("a branch", put("create", "app:b", 7):id(), 6)
    check.equal("its parent", registry.current_version():previous():id(), 2)
    check.equal("state at 6", state(), "2 7 file")
    check.equal("the newest after 2", v2:next():id(), 6)
    check.equal("to the other branch", registry.apply_version(history:get_version(5)), true)
    check.equal("state at 5", state(), "- 3 4")
    check.equal("to the files", registry.apply_version(history:get_version(0)), true)
    check.equal("state at 0", state(), "- - file")
    none, err = registry.apply_version("v1")
    failed("a text is no version", none, err, "Invalid", "expected version object")
    return check.over()
end

return { main = main }
