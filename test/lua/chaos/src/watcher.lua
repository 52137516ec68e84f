--[[
Is told by others whom to monitor, or whom to start and monitor, and lives through it all. What it saw is its report: each monitor must fire exactly once, what one
sender sends must arrive whole and in order, each publisher's events too.
]]
local events = require("events")
local random = require("random")

local PROGRAMS = { "give", "crash", "refuse", "forever", "polite", "slow_birth", "spin" }

local function main(to, seed)
  process.set_options({ trap_links = true })
  local pick = random.new(seed)
  local inbox, signals = process.inbox(), process.events()
  local published = events.subscribe("chaos", "said")
  local monitored, loose, exited = {}, {}, {} -- by pid; loose: no longer monitored, but its EXIT may have been under way
  local linked, fell = {}, {}
  local last, said = {}, {}
  local faults = {}
  local nwaiting, nmonitors, nmessages = 0, 0, 0

  local function fault(text) faults[#faults + 1] = text end

  local function expect(pid)
    if exited[pid] then fault("a monitor on " .. pid .. ", which has ended") end
    monitored[pid] = true
    nwaiting = nwaiting + 1
    nmonitors = nmonitors + 1
  end

  local function watch(pid)
    if not monitored[pid] and process.monitor(pid) then expect(pid) end
  end

  local function ignore(pid)
    if not monitored[pid] then return end
    process.unmonitor(pid)
    monitored[pid] = nil
    loose[pid] = true
    nwaiting = nwaiting - 1
  end

  local function start(id, host)
    local links = pick(2) == 1
    local pid
    if links then
      pid = process.spawn_linked_monitored(id, host)
    else
      pid = process.spawn_monitored(id, host)
    end
    if not pid then return end
    expect(pid)
    linked[pid] = links
    local end_it = pick(4)
    if end_it == 1 then process.terminate(pid) end
    if end_it == 2 then process.cancel(pid, "enough", "10ms") end
  end

  local function on_signal(e)
    if e.kind == process.event.EXIT then
      if exited[e.from] then fault("two EXITs of " .. e.from) end
      if not monitored[e.from] and not loose[e.from] then fault("EXIT of " .. e.from .. ", which is not monitored") end
      if monitored[e.from] then nwaiting = nwaiting - 1 end
      monitored[e.from] = nil
      exited[e.from] = true
      if process.send(e.from, "gone") then fault("an ended process takes messages") end
    elseif e.kind == process.event.LINK_DOWN then
      if not linked[e.from] then fault("LINK_DOWN of " .. e.from .. ", which is not linked") end
      if fell[e.from] then fault("two LINK_DOWNs of " .. e.from) end
      if not e.result.error then fault("LINK_DOWN without an error") end
      fell[e.from] = true
    end
  end

  local function on_message(m)
    local what, payload = m:topic(), m:payload()
    local arg = payload and payload:data()
    if what == "n" then
      local from = m:from()
      if arg ~= (last[from] or 0) + 1 then
        fault("message " .. tostring(arg) .. " of " .. from .. " after " .. tostring(last[from]))
      end
      last[from] = arg
      nmessages = nmessages + 1
    elseif what == "watch" then
      watch(arg)
      if pick(4) == 1 then ignore(arg) end
      if pick(2) == 1 then watch(arg) end
    elseif what == "link" then
      if process.link(arg) then linked[arg] = true end
    elseif what == "start" then
      start("app:" .. PROGRAMS[pick(#PROGRAMS)], pick(3) == 1 and "app:narrow" or "app:crowd")
    elseif what == "report" then
      process.send(to, "report", { waiting = nwaiting, monitors = nmonitors, messages = nmessages, faults = faults })
    end
    return what ~= "leave"
  end

  local function on_event(e)
    local n = said[e.path]
    if n and e.data ~= n + 1 then fault("event " .. tostring(e.data) .. " of " .. e.path .. " after " .. tostring(n)) end
    said[e.path] = e.data
  end

  while true do
    local r = channel.select({ signals:case_receive(), inbox:case_receive(), published:channel():case_receive() })
    if r.channel == signals then
      on_signal(r.value)
    elseif r.channel == inbox then
      if not on_message(r.value) then return end
    else
      on_event(r.value)
    end
  end
end

return { main = main }
