local notes = {}

local function open()
  local db = assert(sql.get("app:db"))
  assert(db:execute("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT, by TEXT)"))
  return db
end

function notes.list()
  return assert(open():query("SELECT id, text, by FROM notes ORDER BY id"))
end

function notes.add(text: string, by: string)
  local r = assert(open():execute("INSERT INTO notes (text, by) VALUES (?, ?)", { text, by }))
  return { id = r.last_insert_id, text = text, by = by }
end

return notes
