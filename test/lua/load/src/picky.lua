-- Its chunk fails as soon as somebody has taken a name: nobody can know beforehand what it will do.
if process.registry.lookup("no more of these") then error("no more of these") end

return { main = function() return process.inbox():receive() end }
