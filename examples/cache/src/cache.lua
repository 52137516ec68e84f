local cache = {}

-- The value of `key`, and where it was found: in memory, in the database, or made by make().
function cache.through(key: string, make: () -> any, ttl: number?): (any, string)
  local near, far = store.get("app:near"), store.get("app:far")
  local value = near:get(key)
  if value ~= nil then
    return value, "near"
  end
  value = far:get(key)
  if value ~= nil then
    near:set(key, value, ttl)
    return value, "far"
  end
  value = make()
  far:set(key, value, ttl)
  near:set(key, value, ttl)
  return value, "made"
end

return cache
