-- In earnest the salt and the hash of each password are in a database, and the password nowhere.
local users = {
  ann = { password = "a long secret", group = "app:writers" },
  bob = { password = "another secret", group = "app:readers" },
}

local function is_password(given: string, user): boolean
  local salt, rounds, length = "salt of the user", 10000, 32
  return crypto.constant_time_compare(crypto.pbkdf2(given, salt, rounds, length), crypto.pbkdf2(user.password, salt, rounds, length))
end

local function run()
  local body = http.request():body_json()
  local name, password = body and body.name, body and body.password
  if type(name) ~= "string" or type(password) ~= "string" then
    return answer.error(400, "the fields name and password are texts")
  end
  local user = users[name]
  if not user or not is_password(password, user) then
    return answer.error(401, "wrong name or password")
  end
  local tokens = security.token_store("app:tokens")
  local token = assert(tokens:create(security.new_actor(name), security.named_scope(user.group)))
  answer.json(200, { token = token })
end

return { run = run }
