-- A chat room: what one says all hear, in the same order.
local function main(name)
    local inbox, members, n = process.inbox(), {}, 0

    process.registry.register(name)
    while true do
        local m = inbox:receive()
        local data = m:payload():data()

        if m:topic() == "ws.join" then
            members[data.client_pid] = data.metadata and data.metadata.nick or "?"
        elseif m:topic() == "ws.leave" then
            members[data.client_pid] = nil
        elseif m:topic() == "ws.message" then
            n = n + 1
            for pid in pairs(members) do
                process.send(pid, "said", { by = members[m:from()], text = data, n = n })
            end
        end
    end
end

return { main = main }
