-- Does what ?ops= says (a JSON list of {method, arguments ...}), notes what each call gave under ?key=, and ends as ?end= says.
local http = require("http")
local json = require("json")
local store = require("store")

local function say(err)
    if err == nil then
        return "nil"
    end
    return { kind = err:kind(), message = err:message(), retryable = err:retryable() }
end

local recursive = {}
recursive[1] = recursive

-- What JSON cannot say.
local special = {
    NIL = nil, SPARSE = { [1] = 1, [3] = 3 }, MIXED = { 1, a = 2 }, RECURSIVE = recursive,
    EVENT_WITHOUT_DATA = { name = "x" }, EVENT_UNENCODABLE = { name = "x", data = { 1, a = 2 } },
}

local function run()
    local req = http.request()
    local results, responses = {}, { http.response(), http.response() }
    for i, op in ipairs(json.decode(req:query("ops") or "[]")) do
        local method, res = op[1], responses[1]
        if method:sub(1, 6) == "other." then
            method, res = method:sub(7), responses[2]
        end
        local a, b = op[2], op[3]
        if type(a) == "string" and a:upper() == a and (special[a] ~= nil or a == "NIL") then
            a = special[a]
        end
        if method == "write_many" then
            a = ("x"):rep(a)
            method = "write"
        end
        local ok, result = pcall(function()
            if b ~= nil then
                return res[method](res, a, b)
            elseif #op > 1 then
                return res[method](res, a)
            end
            return res[method](res)
        end)
        results[i] = ok and say(result) or { raised = tostring(result) }
    end
    if req:query("key") then
        store.get("app:notes"):set(req:query("key"), results)
    end
    local how = req:query("end")
    if how == "value" then
        return { a = 1 }
    elseif how == "nil" then
        return nil
    elseif how == "error" then
        return nil, errors.new({ kind = errors.INVALID, message = "an error object" })
    elseif how == "text" then
        return nil, "a text"
    elseif how == "number" then
        return nil, 42
    elseif how == "raise" then
        error("raised on purpose")
    elseif how == "raise object" then
        error(errors.new("an object raised"))
    end
end

return { run = run }
