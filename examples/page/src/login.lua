local function run()
  local res, body = http.response(), http.request():body_json()
  local name, password = body and body.name, body and body.password
  if type(name) ~= "string" or not name:match("^%w+$") or #name > 20 or type(password) ~= "string" or
    not crypto.constant_time_compare(password, "open sesame") then
    res:set_status(http.STATUS.UNAUTHORIZED)
    return
  end
  local token = assert(security.token_store("app:tokens"):create(security.new_actor(name), security.named_scope("app:members")))
  res:write_json({ token = token })
end

return { run = run }
