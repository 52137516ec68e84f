local check = require("check")

local function main()
    check.equal("platform", os.platform, "wippy")
    for _, name in ipairs({ "execute", "exit", "getenv", "remove", "rename", "tmpname", "setlocale" }) do
        check.equal(name, os[name], nil)
    end
    check.equal("time", math.type(os.time()), "integer")
    check.equal("difftime", os.difftime(10, 4), 6)
    local before = os.clock()
    check.yes("clock", before >= 0 and os.clock() >= before)

    local t = os.time{ year = 2024, month = 2, day = 30, hour = 25, min = 61, sec = 61 }
    check.equal("out of range", os.date("%Y-%m-%d %H:%M:%S", t), "2024-03-02 02:02:01")
    check.equal("missing hour is 0", os.date("%H:%M:%S", os.time{ year = 2024, month = 1, day = 1 }), "00:00:00")
    local utc = 1704164645 -- Tue Jan  2 03:04:05 2024
    local d = os.date("!*t", utc)
    check.equal("table", table.concat({ d.year, d.month, d.day, d.hour, d.min, d.sec, d.wday, d.yday, tostring(d.isdst) }, " "),
        "2024 1 2 3 4 5 3 2 false")
    for format, want in pairs({ ["%a %A"] = "Tue Tuesday", ["%b %B"] = "Jan January", ["%c"] = "Tue Jan  2 03:04:05 2024", ["%d"] = "02",
        ["%H %I %p"] = "03 03 AM", ["%j"] = "002", ["%m"] = "01", ["%M"] = "04", ["%S"] = "05", ["%U %W"] = "01 01", ["%w"] = "2",
        ["%x"] = "01/02/24", ["%X"] = "03:04:05", ["%y %Y"] = "24 2024", ["%z"] = "+0000", ["%Z"] = "UTC", ["%%"] = "%", ["%Q"] = "%Q" }) do
        check.equal(format, os.date("!" .. format, utc), want)
    end
    check.equal("default format", #os.date(), 24)
    return check.over()
end

return { main = main }
