local PORTION = 64 * 1024

local function refuse(res, text: string)
  res:set_status(400)
  res:write(text)
end

local function save(file, name: string): number
  local from = assert(file:stream())
  local to = assert(fs.get("app:uploads"):open(name, "w"))
  local size = 0

  while true do
    local portion = from:read(PORTION)
    if not portion then
      break
    end
    assert(to:write(portion))
    size = size + #portion
  end
  to:close()
  return size
end

local function run()
  local req, res = http.request(), http.response()
  local form, err = req:parse_multipart()
  if err then
    return refuse(res, err:message())
  end
  local file = form.files.file and form.files.file[1]
  if not file then
    return refuse(res, "the form has no field 'file'")
  end
  local name = file:name()
  local wrong = names.check(name)
  if wrong then
    return refuse(res, wrong)
  end
  res:write_json({ link = "/uploads/" .. name, size = save(file, name) })
end

return { run = run }
