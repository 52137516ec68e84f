local json = require("json")
local funcs = require("funcs")
local check = require("check")

local f = payload.format

local function internal(what, words, v, err)
    check.failed(what, v, err, errors.INTERNAL, words)
end

local function making()
    check.equal("JSON", f.JSON, "json/plain")
    check.equal("YAML", f.YAML, "yaml/plain")
    check.equal("STRING", f.STRING, "text/plain")
    check.equal("BYTES", f.BYTES, "application/octet-stream")
    check.equal("MSGPACK", f.MSGPACK, "application/msgpack")
    check.equal("LUA", f.LUA, "lua/any")
    check.equal("GOLANG", f.GOLANG, "golang/any")
    check.equal("ERROR", f.ERROR, "golang/error")
    local t = { 1, 2, x = { y = "z" } }
    local p = payload.new(t)
    check.equal("format", p:get_format(), f.LUA)
    check.equal("text", tostring(p), "payload{format=lua/any}")
    t.x.y = "changed"
    check.equal("a copy", p:data().x.y, "z")
    check.equal("another one each time", p:data() ~= p:data(), true)
    check.equal("unmarshal", p:unmarshal()[2], 2)
    check.equal("nil", payload.new(nil):data(), nil)
    check.equal("false", payload.new(false):data(), false)
    local e = payload.new(errors.new({ message = "bad", kind = errors.CONFLICT }))
    check.equal("error", e:get_format(), f.ERROR)
    check.equal("still an error", e:data():kind(), errors.CONFLICT)
    check.raises("receiver", "payload.Payload expected", p.data, 5)
end

local function transcoding()
    local p = payload.new({ b = { 1, 2 }, a = "x" })
    local j = p:transcode(f.JSON)
    check.equal("JSON", j:get_format(), f.JSON)
    check.equal("and back", j:data().b[2], 2)
    check.equal("its text", json.decode(j:transcode(f.STRING):data()).a, "x")
    local y = j:transcode(f.YAML)
    check.equal("YAML", y:transcode(f.BYTES):data(), "a: x\nb:\n    - 1\n    - 2\n")
    check.equal("and back", y:unmarshal().a, "x")
    check.equal("to Lua", y:transcode(f.LUA):get_format(), f.LUA)
    check.equal("to the host", y:transcode(f.GOLANG):data().a, "x")
    check.equal("to itself", j:transcode(f.JSON):data().a, "x")
    for _, case in ipairs({ { "text", "text" }, { 5, "5" }, { 2.5, "2.5" }, { true, "true" }, { 10 / 2, "5" } }) do
        check.equal("as text", payload.new(case[1]):transcode(f.STRING):data(), case[2])
    end
    check.equal("nil as text", payload.new(nil):transcode(f.STRING):data(), "")
    check.equal("nil as JSON", payload.new(nil):transcode(f.JSON):transcode(f.STRING):data(), "null")
    check.equal("text as JSON", payload.new("x"):transcode(f.STRING):transcode(f.JSON):transcode(f.BYTES):data(), '"x"')
    check.equal("an empty object stays one", payload.new(json.decode("[1]")):transcode(f.JSON):transcode(f.STRING):data(), "[1]")
    check.equal("error as text", payload.new(errors.new("bad")):transcode(f.STRING):data(), "bad")
    check.equal("error to Lua", payload.new(errors.new("bad")):transcode(f.LUA):get_format(), f.ERROR)
    internal("table as text", "no route from lua/any to text/plain", p:transcode(f.STRING))
    internal("message pack", "no route from lua/any to application/msgpack", p:transcode(f.MSGPACK))
    internal("to an error", "no route", p:transcode(f.ERROR))
    internal("unknown", "no route from lua/any to x/y", p:transcode("x/y"))
    internal("mixed keys", "transcode failed", payload.new({ 1, x = 2 }):transcode(f.JSON))
    check.raises("format", "string expected", p.transcode, p)
end

local function arriving()
    local future = funcs.async("app:answer")
    local r, ok = future:response():receive()
    check.equal("arrived", ok, true)
    check.equal("format", r:get_format(), f.LUA)
    check.equal("data", r:data().n, 42)
    check.equal("transcoded", json.decode(r:transcode(f.JSON):transcode(f.STRING):data()).list[2], 2)
end

local function main()
    making()
    transcoding()
    arriving()
    return check.over()
end

return { main = main }
