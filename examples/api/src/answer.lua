local answer = {}

function answer.json(status: number, body)
  local res = http.response()
  res:set_content_type(http.CONTENT.JSON)
  res:set_status(status)
  res:write_json(body)
end

function answer.error(status: number, text: string)
  answer.json(status, { error = text })
end

return answer
