local M = {}

function shout(text)
  return string.upper(text)
end

function M.count(value)
  return #tostring(value)
end

return M
