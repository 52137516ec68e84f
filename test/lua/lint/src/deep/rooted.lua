return { main = function() return rootless end }
