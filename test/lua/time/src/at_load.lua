-- While a chunk is loaded there is no process: values can be made, nothing can be waited for.
local time = require("time")
local check = require("check")

local berlin = assert(time.load_location("Europe/Berlin"))
local started = time.now()
local failures = {}
for _, name in ipairs({ "sleep", "after", "timer", "ticker" }) do
  local ok, err = pcall(time[name], "1ms")
  failures[name] = not ok and tostring(err) or "no error"
end

local function main()
  check.same("zone", berlin:string(), "Europe/Berlin")
  check.same("now", started:after(time.now()), false)
  check.raises("sleep", "time.sleep: no process context", error, failures.sleep)
  for _, name in ipairs({ "after", "timer", "ticker" }) do
    check.raises(name, "time." .. name .. ": no process PID", error, failures[name])
  end
  return check.done()
end

return { main = main }
