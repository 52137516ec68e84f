local io = require("io")

local function main()
    io.print("args:" .. table.concat(io.args(), ","))
    io.print("a", 1, true, nil)
    io.write(1, "b", "\n")
    io.flush()
    io.eprint("to stderr", 2)
    io.print("line:" .. io.readline())
    io.print("read:" .. io.read(4))
    io.print("line:" .. io.readline())
    io.print("read:" .. io.readline())
    for _, f in ipairs({ io.read, io.readline }) do
        local v, e = f()
        io.print(tostring(v), e:message())
    end
    return 0
end

return { main = main }
