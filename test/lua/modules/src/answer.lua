local function main(what)
    if what == "fail" then
        return nil, errors.new({ message = "no answer", kind = errors.NOT_FOUND })
    end
    return { n = 42, list = { 1, 2 } }
end

return { main = main }
