-- The states of services as events, and starting and stopping them by events.
local channel = require("channel")
local check = require("check")
local events = require("events")
local time = require("time")

local function main()
    local sub = events.subscribe("supervisor", "service.update")
    local function updates(n)
        local text, last = "", nil
        for _ = 1, n do
            local r = channel.select{ sub:channel():case_receive(), time.after("5s"):case_receive() }
            if r.channel ~= sub:channel() then return text .. "and no more", nil end
            last = r.value
            text = text .. last.path .. "=" .. last.data.status .. "/" .. last.data.desired .. " "
        end
        return text, last
    end
    events.send("supervisor", "service.stop", "app:base")
    local text, last = updates(4)
    check.equal("dependents stop first", text,
        "app:above=stopping/stopped app:above=stopped/stopped app:base=stopping/stopped app:base=stopped/stopped ")
    check.equal("path", last.path, "app:base")
    check.equal("retries", last.data.retry_count, 0)
    check.equal("time of the update", type(last.data.last_update), "number")
    check.equal("it does not run", last.data.started_at, nil)
    check.equal("no details", last.data.details, nil)
    local pid, err = process.spawn("app:other", "app:above")
    check.equal("nothing runs on a stopped host", pid, nil)

    events.send("supervisor", "service.start", "app:above")
    text, last = updates(6)
    check.equal("what is required starts first", text,
        "app:above=unknown/running app:base=unknown/running app:base=starting/running app:base=running/running "
        .. "app:above=starting/running app:above=running/running ")
    check.equal("it runs", type(last.data.started_at), "number")
    check.equal("started before the update", last.data.started_at <= last.data.last_update, true)
    check.equal("a process on it", type((process.spawn("app:other", "app:above"))), "string")

    -- Nothing happens for what is no service, or already so.
    events.send("supervisor", "service.start", "app:above")
    events.send("supervisor", "service.stop", "app:none")
    local r = channel.select{ sub:channel():case_receive(), time.after("100ms"):case_receive() }
    check.equal("no update", r.channel == sub:channel(), false)
    return check.over()
end

return { main = main }
