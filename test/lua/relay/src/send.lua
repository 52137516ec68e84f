-- The body {to, topic, values}: sends that, and says what process.send() said.
local http = require("http")
local json = require("json")
local store = require("store")

local function run()
    local req, res = http.request(), http.response()
    local what = assert(json.decode(req:body()))
    local to = what.to

    if what.named then
        to = assert(process.registry.lookup(what.named))
    end
    local ok, err
    if what.cancel then
        ok, err = process.cancel(to, what.cancel)
    elseif what.terminate then
        ok, err = process.terminate(to)
    else
        ok, err = process.send(to, what.topic, table.unpack(what.values or {}, 1, what.n or #(what.values or {})))
    end
    res:write_json({ ok = ok, kind = err and err:kind(), message = err and err:message() })
end

return { run = run }
