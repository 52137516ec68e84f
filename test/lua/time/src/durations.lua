local time = require("time")
local check = require("check")

local function main()
  local texts = {
    ["1h30m45.5s"] = "1h30m45.5s", ["60s"] = "1m0s", ["0.5s"] = "500ms", ["1500ns"] = "1.5µs", ["20ns"] = "20ns", ["0"] = "0s",
    ["-1.5h"] = "-1h30m0s", [".5s"] = "500ms", ["1.5us"] = "1.5µs", ["36h"] = "36h0m0s", ["+2ms"] = "2ms",
  }
  for text, shown in pairs(texts) do
    check.text(text, time.parse_duration(text), shown)
  end

  local d = assert(time.parse_duration("1h30m45.0000019s"))
  check.same("nanoseconds", d:nanoseconds(), 5445000001900)
  check.same("microseconds", d:microseconds(), 5445000001)
  check.same("milliseconds", d:milliseconds(), 5445000)
  check.same("minutes", assert(time.parse_duration("90s")):minutes(), 1.5)
  check.same("hours", assert(time.parse_duration("90m")):hours(), 1.5)
  check.same("seconds", assert(time.parse_duration("1500ms")):seconds(), 1.5)
  check.same("negative", assert(time.parse_duration("-1999us")):milliseconds(), -1)
  check.same("type", type(d), "userdata")

  check.text("a number", time.parse_duration(1500000), "1.5ms")
  check.text("a float", time.parse_duration(1.9), "1ns")
  check.text("a duration", time.parse_duration(d), "1h30m45.0000019s")
  check.text("the least", time.parse_duration("-9223372036854775808ns"), "-2562047h47m16.854775808s")

  check.refuses("nonsense", "Invalid", 'time: invalid duration "x"', time.parse_duration("x"))
  check.refuses("no unit", "Invalid", 'time: missing unit in duration "3"', time.parse_duration("3"))
  check.refuses("days", "Invalid", 'time: unknown unit "d" in duration "1d"', time.parse_duration("1d"))
  check.refuses("too long", "Invalid", "invalid duration", time.parse_duration("3000000h"))
  check.refuses("a table", "Invalid", "invalid value type", time.parse_duration({}))
  check.refuses("nil", "Invalid", "invalid value type", time.parse_duration(nil))
  check.refuses("a time", "Invalid", "invalid duration type", time.parse_duration(time.now()))
  check.refuses("not a number", "Invalid", "out of range", time.parse_duration(0 / 0))
  check.refuses("a boolean to wait", "Invalid", "duration must be number or string", time.sleep(true))

  check.same("units", time.HOUR, 60 * time.MINUTE)
  check.same("units", time.MINUTE, 60000 * time.MILLISECOND)
  check.same("units", time.SECOND, 1000000 * time.MICROSECOND)
  check.same("units", time.NANOSECOND, 1)
  check.same("no such unit", time.DAY, nil)
  return check.done()
end

return { main = main }
