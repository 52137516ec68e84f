-- Many publishers and readers over all workers: everyone hears the same, in the same order, nothing is lost.
local check = require("check")
local events = require("events")

local PUBLISHERS, READERS, EACH = 6, 4, 2000

local function main()
    local ready, ends = process.listen("ready"), process.events()
    local me = process.pid()
    local readers, publishers, results = {}, {}, {}
    for i = 1, READERS do
        -- Some are slower than others.
        local pid = assert(process.spawn_monitored("app:reader", "app:processes", me, PUBLISHERS * EACH, i == 1 and 50 or 0))
        readers[pid] = true
    end
    for i = 1, PUBLISHERS do
        publishers[i] = assert(process.spawn("app:publisher", "app:processes", me, "pub" .. i, EACH))
    end
    for _ = 1, READERS + PUBLISHERS do ready:receive() end
    -- This one takes nothing until all is over: its events wait.
    local late = events.subscribe("load")
    for _, pid in ipairs(publishers) do process.send(pid, "start") end
    for _ = 1, READERS do
        local e = ends:receive()
        check.equal("a reader", readers[e.from], true)
        check.equal("a reader's error", e.result.error, nil)
        table.insert(results, e.result.value)
    end
    check.equal("a digest", type(results[1]), "number")
    for i = 2, READERS do check.equal("reader " .. i .. " heard the same", results[i], results[1]) end
    local last, count = {}, 0
    for _ = 1, PUBLISHERS * EACH do
        local e = late:channel():receive()
        if e.data.i ~= (last[e.kind] or 0) + 1 then check.equal("order for the late", e.path, last[e.kind]) end
        last[e.kind] = e.data.i
        count = count + 1
    end
    check.equal("all of them", count, PUBLISHERS * EACH)
    return check.over()
end

return { main = main }
