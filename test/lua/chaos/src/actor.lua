-- Does one thing after another, chosen at random, until its steps are used up or it is ended: by itself, by another, by its links.
local events = require("events")
local funcs = require("funcs")
local pg = require("pg")
local random = require("random")
local time = require("time")

local PROGRAMS = { "give", "crash", "refuse", "broken", "forever", "polite", "slow_birth", "spin", "none" }
local FUNCTIONS = { "add", "fail", "raises", "few", "single", "computes", "nested", "callable", "none" }
local SPAWNS = { "spawn", "spawn_monitored", "spawn_linked", "spawn_linked_monitored" }
local NAMES = 12

local function main(state)
  local pick = random.new(state.seed)
  local known, held = {}, {}
  local group = pg.open("app:groups")
  local builder = process.with_context({ seed = state.seed })

  local function one_in(n) return pick(n) == 1 end
  local function host() return one_in(4) and "app:narrow" or "app:crowd" end
  local function name() return "name" .. tostring(pick(NAMES)) end
  local function anyone() return known[pick(#known + 1)] or process.registry.lookup(name()) end
  local function watcher() return state.watchers[pick(#state.watchers)] end

  local function meet(pid)
    if not pid then return end
    known[#known + 1] = pid
    if one_in(2) then process.send(watcher(), "watch", pid) end
    if one_in(6) then process.send(watcher(), "link", pid) end
  end

  local function child_of()
    return { seed = pick(1000000), steps = 12, depth = state.depth + 1, watchers = state.watchers, sent = {}, said = 0 }
  end

  local function tell()
    local to = watcher()
    state.sent[to] = (state.sent[to] or 0) + 1
    process.send(to, "n", state.sent[to])
  end

  local function call_args() return 1 + pick(8), 2 end

  local deeds = {
    function() meet(process[SPAWNS[pick(4)]]("app:" .. PROGRAMS[pick(#PROGRAMS)], host())) end,
    function() if state.depth < 2 then meet(process[SPAWNS[pick(4)]]("app:actor", host(), child_of())) end end,
    function()
      -- Whoever comes second finds the first one, or its messages find nobody who waits.
      local s = builder:with_name(name()):with_message("first", 1):with_message("second", 2)
      meet((s:spawn(one_in(2) and "app:forever" or "app:polite", host())))
    end,
    function() meet((builder:with_options({ network = "" }):spawn_linked_monitored("app:forever", host()))) end,
    function() process.exec("app:" .. PROGRAMS[pick(4)], host(), pick(9)) end,
    function() local pid = anyone() if pid then process.link(pid) end end,
    function() local pid = anyone() if pid then process.link(pid) process.unlink(pid) end end,
    function() local pid = anyone() if pid then process.monitor(pid) if one_in(2) then process.unmonitor(pid) end end end,
    function() local pid = anyone() if pid then process.terminate(pid) end end,
    function() local pid = anyone() if pid then process.cancel(pid, "please", one_in(2) and "5ms" or nil) end end,
    function() local pid = anyone() if pid then process.send(pid, "hello", { pick(9) }) end end,
    function() process.registry.register(name()) end,
    function() local pid = anyone() if pid then process.registry.register(name(), pid) end end,
    function() process.registry.unregister(name()) end,
    function() group:join({ "g" .. tostring(pick(3)), "g" .. tostring(pick(3)) }) end,
    function() group:leave("g" .. tostring(pick(3))) end,
    function() group:broadcast("g" .. tostring(pick(3)), "hello", "all") end,
    function() local sub = group:monitor("g" .. tostring(pick(3))) if sub and one_in(2) then sub:close() end end,
    function() funcs.call("app:" .. FUNCTIONS[pick(#FUNCTIONS)], call_args()) end,
    function() held[#held + 1] = funcs.async("app:" .. FUNCTIONS[pick(#FUNCTIONS)], call_args()) end,
    function() local f = funcs.async("app:" .. FUNCTIONS[pick(#FUNCTIONS)], call_args()) if f then f:cancel() end end,
    function()
      local f = funcs.async("app:" .. FUNCTIONS[pick(#FUNCTIONS)], call_args())
      local late = time.after(tostring(pick(8)) .. "ms")
      if f then channel.select({ f:channel():case_receive(), late:case_receive() }) f:cancel() end
    end,
    function()
      funcs.new():with_options({ retry = { max_attempts = 3, initial_delay = 1, jitter = 0.5 } }):call("app:fail")
    end,
    function() local sub = events.subscribe(one_in(2) and "chaos" or "*") if sub and one_in(2) then sub:close() end end,
    function()
      state.said = state.said + 1
      events.send("chaos", "said", process.pid(), state.said)
    end,
    function() held[#held + 1] = time.ticker("1ms") end,
    function() held[#held + 1] = time.timer(tostring(pick(5)) .. "ms") end,
    function() local t = time.timer("1ms") t:reset("2ms") if one_in(2) then t:stop() end end,
    function() time.sleep(tostring(pick(3)) .. "ms") end,
    function() process.listen("hello") end,
    function() local ch = process.listen("other") if ch then process.unlisten(ch) end end,
    function() process.set_options({ trap_links = one_in(2) }) end,
    function()
      local inbox, soon = process.inbox(), time.after("1ms")
      coroutine.spawn(function() inbox:receive() end)
      soon:receive()
    end,
    function()
      local ch = channel.new(pick(3) - 1)
      coroutine.spawn(function() for i = 1, 5 do ch:send(i) end ch:close() end)
      for _ = 1, pick(6) do ch:receive() end
    end,
    function() process.send(watcher(), "start") end,
    function()
      if one_in(3) then
        state.seed = pick(1000000)
        process.upgrade(nil, state)
      end
    end,
    function() if one_in(8) then error("by itself") end end,
    function() if one_in(8) then coroutine.spawn(function() time.sleep("1ms") error("in a coroutine") end) end end,
  }

  process.send(watcher(), "watch", process.pid())
  while state.steps > 0 do
    state.steps = state.steps - 1
    deeds[pick(#deeds)]()
    if one_in(2) then tell() end
  end
  if one_in(4) then return nil, "at the end" end
  if one_in(4) then process.inbox():receive() end
  return state.steps
end

return { main = main }
