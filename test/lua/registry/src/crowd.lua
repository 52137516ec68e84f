-- Many at once: each change is whole, none is lost.
local registry = require("registry")
local process = require("process")
local check = require("check")

local function main()
    local n, rounds, left = 8, 50, 0
    for i = 1, n do
        assert(process.spawn_monitored("app:writer", "app:processes", "app:c" .. i, rounds))
        left = left + 1
    end
    local inbox = process.events()
    while left > 0 do
        local ev = inbox:receive()
        if ev.kind == process.event.EXIT then
            check.equal("ended well", ev.result and ev.result.error and tostring(ev.result.error) or nil, nil)
            left = left - 1
        end
    end
    for i = 1, n do
        check.equal("last of " .. i, registry.get("app:c" .. i).data.n, rounds)
    end
    check.equal("versions", registry.current_version():id(), n * rounds)
    return check.over()
end

return { main = main }
