-- network ROLE START WAY URL: call app:walk as an actor with the scope of the group ROLE through the network START.
local funcs = require("funcs")
local io = require("io")
local json = require("json")
local security = require("security")

local function main(group, start, way, url)
    local f = funcs.new()
    if group ~= "none" then
        f = f:with_actor(security.new_actor("user:walker")):with_scope(security.named_scope(group))
    end
    if start ~= "" then f = f:with_options({ network = start }) end
    local value, err = f:call("app:walk", json.decode(way), 1, url)
    io.print(json.encode(value or { at = "first", kind = err:kind(), words = err:message() }))
    return 0
end

return { main = main }
