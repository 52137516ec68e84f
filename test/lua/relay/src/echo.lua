-- Sends back what it gets, to whom it came from; and "all", once, to everybody who is there.
local function main(name)
    local inbox, members = process.inbox(), {}

    process.registry.register(name)
    while true do
        local m = inbox:receive()
        local data = m:payload():data()

        if m:topic() == "ws.join" then
            members[#members + 1] = data.client_pid
        elseif m:topic() == "ws.message" and data == "all" then
            for _, pid in ipairs(members) do
                process.send(pid, "all", #members)
            end
        elseif m:topic() == "ws.message" then
            process.send(m:from(), "echo", data)
        end
    end
end

return { main = main }
