-- Keeps what it is told as the note of its name, and does what a client asks for with {"do": ...}.
local json = require("json")
local store = require("store")
local time = require("time")

local function main(name)
    local notes = assert(store.get("app:notes"))
    local inbox, events = process.inbox(), process.events()
    local log, client = {}, nil
    local quiet = false

    local function note(what)
        if quiet then
            return
        end
        log[#log + 1] = what
        notes:set(name, json.encode(log))
    end

    local doing = {}
    function doing.send(what)
        for i = 1, what.times or 1 do
            local ok, err = process.send(what.to or client, what.topic, table.unpack(what.values or {}, 1, what.n or #(what.values or {})))
            if not ok then
                note({ failed = tostring(err) })
            end
        end
    end
    function doing.count(what)
        local big = string.rep("x", what.size or 0)
        for i = 1, what.upto do
            process.send(client, "n", { n = i, big = big })
        end
        note({ sent = what.upto })
    end
    function doing.strange()
        local t = {}
        t.t = t
        process.send(client, "strange", t)
    end
    function doing.watch()
        assert(process.monitor(client))
        note({ watching = true })
    end
    function doing.sleep(what)
        time.sleep(what.how)
    end
    function doing.quiet()
        quiet = true
    end
    function doing.die()
        error("told to")
    end

    process.registry.register(name)
    note({ born = process.pid() })
    while true do
        local r = channel.select({ inbox:case_receive(), events:case_receive() })
        if r.channel == events then
            local e = r.value
            note({ event = e.kind, from = e.from, value = e.result and e.result.value })
            if e.kind == "pid.cancel" then
                return
            end
        else
            local m = r.value
            local topic, payload = m:topic(), m:payload()
            local data = payload and payload:data()
            if topic:find("%.join$") then
                client = data.client_pid
            end
            note({ topic = topic, from = m:from(), data = type(data) == "string" and data:sub(1, 100) or data, type = type(data) })
            if type(data) == "string" and data:sub(1, 6) == '{"do":' then
                local what = json.decode(data)
                if what["do"] == "leave" then
                    return "left"
                end
                doing[what["do"]](what)
            elseif topic == "do" then
                doing[data["do"]](data)
            end
        end
    end
end

return { main = main }
