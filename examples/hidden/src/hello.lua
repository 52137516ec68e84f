local function main()
  local req, res = http.request(), http.response()
  local actor = security.actor()
  res:write("hello " .. (actor and actor:id() or "stranger") .. " at " .. req:remote_addr() .. "\n")
end

return { main = main }
