-- Who waits for a change may be terminated at any moment.
local registry = require("registry")
local process = require("process")
local check = require("check")
local time = require("time")

local function main()
    for i = 1, 60 do
        local pid = assert(process.spawn("app:writer", "app:processes", "app:w" .. i))
        if i % 3 > 0 then
            time.sleep(tostring(i % 7) .. "ms")
        end
        process.terminate(pid)
    end
    local v, err = registry.snapshot():changes():create({ id = "app:after", kind = "registry.entry" }):apply()
    check.equal("goes on", err and err:message(), nil)
    check.equal("there", registry.get("app:after") ~= nil, true)
    return check.over()
end

return { main = main }
