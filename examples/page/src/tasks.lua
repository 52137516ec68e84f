local function open()
  local kept, key = assert(store.get("app:kept")), "tasks of " .. security.actor():id()
  return kept, key, json.decode(kept:get(key) or "[]")
end

local function list()
  local _, _, tasks = open()
  http.response():write_json({ open = tasks })
end

local function add()
  local res, body = http.response(), http.request():body_json()
  local text = body and body.text
  if type(text) ~= "string" or #text < 1 or #text > 200 then
    res:set_status(http.STATUS.BAD_REQUEST)
    return
  end
  local kept, key, tasks = open()
  tasks[#tasks + 1] = text
  assert(kept:set(key, json.encode(tasks)))
  res:write_json({ open = tasks })
end

return { list = list, add = add }
