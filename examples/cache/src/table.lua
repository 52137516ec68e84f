local schema = {}

-- The table of `app:far`, made when it is not there.
function schema.ensure(): (boolean, any)
  local db, err = sql.get("app:db")
  if err then
    return false, err
  end
  _, err = db:execute("CREATE TABLE IF NOT EXISTS cache (key TEXT PRIMARY KEY, value TEXT NOT NULL, expires_at TIMESTAMP)")
  db:release()
  return err == nil, err
end

return schema
