local function run()
  local body = http.request():body_json()
  local text = body and body.text
  if type(text) ~= "string" or #text < 1 or #text > 200 then
    return answer.error(400, "the field text must hold 1 to 200 characters")
  end
  answer.json(201, notes.add(text, security.actor():id()))
end

return { run = run }
