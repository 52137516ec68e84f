return { main = function(name: string) return "Hello, " .. name end }
