local time = require("time")
local check = require("check")

local function main()
  local t = time.date(2006, 1, 2, 15, 4, 5, 123456789, time.fixed_zone("MST", -7 * 3600))
  local texts = {
    RFC3339 = "2006-01-02T15:04:05-07:00", RFC3339NANO = "2006-01-02T15:04:05.123456789-07:00", RFC822 = "02 Jan 06 15:04 MST",
    RFC822Z = "02 Jan 06 15:04 -0700", RFC850 = "Monday, 02-Jan-06 15:04:05 MST", RFC1123 = "Mon, 02 Jan 2006 15:04:05 MST",
    RFC1123Z = "Mon, 02 Jan 2006 15:04:05 -0700", KITCHEN = "3:04PM", STAMP = "Jan  2 15:04:05", STAMP_MILLI = "Jan  2 15:04:05.123",
    STAMP_MICRO = "Jan  2 15:04:05.123456", STAMP_NANO = "Jan  2 15:04:05.123456789", DATE_TIME = "2006-01-02 15:04:05",
    DATE_ONLY = "2006-01-02", TIME_ONLY = "15:04:05",
  }
  for name, text in pairs(texts) do
    check.same(name, t:format(time[name]), text)
    local back, err = time.parse(time[name], text, time.utc)
    check.same("parse " .. name, err, nil)
    if back then check.same("again " .. name, back:format(time[name]), text) end
  end
  check.same("rfc3339", t:format_rfc3339(), "2006-01-02T15:04:05-07:00")
  check.text("text", t, "2006-01-02 15:04:05.123456789 -0700 MST")
  check.same("long", #t:format(string.rep("January ", 500)), 8 * 500)
  check.raises("too long", "longer than 4096 bytes", t.format, t, string.rep("x", 5000))
  check.raises("no layout", "string expected", t.format, t, 2006)

  -- Zones: told by the text, by the argument, or the local one.
  local p = assert(time.parse("2006-01-02 15:04", "2024-07-01 12:00", time.utc))
  check.text("utc", p, "2024-07-01 12:00:00 +0000 UTC")
  p = assert(time.parse(time.RFC3339, "2024-07-01T12:00:00+05:30", time.utc))
  check.text("offset", p:utc(), "2024-07-01 06:30:00 +0000 UTC")
  check.same("shown with it", p:format_rfc3339(), "2024-07-01T12:00:00+05:30")
  check.text("shown with it", p, "2024-07-01 12:00:00 +0530 +0530")
  p = assert(time.parse("2006-01-02 15:04 MST", "2024-07-01 12:00 XYZ", time.utc))
  check.text("unknown name", p, "2024-07-01 12:00:00 +0000 XYZ")
  p = assert(time.parse("2006-01-02", "2024-07-01"))
  check.same("local", p:location(), time.localtz)
  p = assert(time.parse("15:04", "10:11", time.utc))
  check.text("no date", p, "0000-01-01 10:11:00 +0000 UTC")
  p = assert(time.parse(time.DATE_TIME, "2024-07-01 10:11:12.25", time.utc))
  check.same("a fraction the layout does not show", p:nanosecond(), 250000000)

  check.refuses("month", "Invalid", 'parsing time "2024-13-01": month out of range', time.parse(time.DATE_ONLY, "2024-13-01"))
  check.refuses("day", "Invalid", "day out of range", time.parse(time.DATE_ONLY, "2023-02-29"))
  check.refuses("rest", "Invalid", 'extra text: "x"', time.parse(time.DATE_ONLY, "2023-02-01x"))
  check.refuses("words", "Invalid", 'parsing time "soon" as "2006-01-02": cannot parse "soon" as "2006"', time.parse(time.DATE_ONLY, "soon"))
  check.refuses("empty", "Invalid", "cannot parse", time.parse(time.DATE_ONLY, ""))
  check.raises("no text", "string expected", time.parse, time.DATE_ONLY)
  check.raises("a zone's name", "time.Location expected", time.parse, time.DATE_ONLY, "2024-01-01", "UTC")
  check.raises("too long", "longer than 4096 bytes", time.parse, time.DATE_ONLY, string.rep("1", 5000))
  return check.done()
end

return { main = main }
