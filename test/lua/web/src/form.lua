-- Multipart forms. ?memory= is the argument.
local http = require("http")

local function say(err)
    return err and { kind = err:kind(), message = err:message(), retryable = err:retryable(), cause = (err:details() or {}).cause }
end

-- Read to the end: how many bytes, and a sum in which the order counts.
local function digest(s)
    local total, sum = 0, 0
    while true do
        local data, err = s:read(65536)
        if err then
            return say(err)
        end
        if data == nil then
            return { total = total, sum = sum }
        end
        total = total + #data
        for i = 1, #data, 4093 do
            sum = (sum * 31 + data:byte(i)) % 1000003
        end
    end
end

local function run()
    local req, res = http.request(), http.response()
    if req:query("first") == "body" then
        req:body()
    end
    local form, err = req:parse_multipart(tonumber(req:query("memory")))
    if not form then
        res:write_json({ error = say(err) })
        return
    end
    local again = req:parse_multipart()
    local files = {}
    for name, list in pairs(form.files) do
        files[name] = {}
        for i, file in ipairs(list) do
            local s, open_error = file:stream()
            local known = { name = file:name(), size = file:size(), type = file:header("content-type"), text = tostring(file),
                none = tostring(file:header("X-None")), error = say(open_error) }
            if file:size() < 1000 then
                known.content = s:read(1000)
                known.at_end = tostring((s:read()))
                s:seek("set", 1)
                known.again = file:stream():read(3)
                known.from_one = s:read(1)
                local stat = s:stat()
                known.stat = { stat.size, stat.position, stat.readable, stat.writable, stat.seekable }
            else
                known.digest = digest(s)
                known.second = digest((file:stream()))
            end
            s:close()
            files[name][i] = known
        end
    end
    local body, body_error = req:body()
    res:write_json({
        values = form.values, files = files, again = again ~= nil and next(again.values) == next(form.values),
        body = body and "read" or say(body_error),
    })
end

return { run = run }
