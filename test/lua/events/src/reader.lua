local events = require("events")

-- Read `count` events; the result is a digest of their order, which is the same for all readers.
local function main(parent: string, count: number, pause: number)
    local sub = events.subscribe("load", "pub*")
    local last, digest = {}, 7
    process.send(parent, "ready", "reader")
    for n = 1, count do
        local e = sub:channel():receive()
        local i = e.data.i
        if tostring(i) ~= e.path or e.data.name ~= e.kind then return "mangled" end
        if i ~= (last[e.kind] or 0) + 1 then return "out of order: " .. e.kind .. " " .. e.path end
        last[e.kind] = i
        digest = (digest * 31 + i * 7 + string.byte(e.kind, 4)) % 1000000007
        if pause > 0 and n % pause == 0 then coroutine.yield() end
    end
    return digest
end

return { main = main }
