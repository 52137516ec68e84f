local function run()
  answer.json(200, notes.list())
end

return { run = run }
