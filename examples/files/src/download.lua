-- The middleware sendfile does the work. As an attachment: a page that somebody uploaded must not act as one of ours.
local function run()
  local name, res = http.request():param("name"), http.response()
  local wrong = names.check(name)
  if wrong then
    res:set_status(400)
    res:write(wrong)
    return
  end
  res:set_header("X-Sendfile", name)
  res:set_header("X-File-Name", name)
  res:set_header("X-Content-Type-Options", "nosniff")
end

return { run = run }
