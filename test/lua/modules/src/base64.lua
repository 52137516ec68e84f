local base64 = require("base64")
local check = require("check")

local function main()
    -- RFC 4648 section 10
    local vectors = {
        { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" },
        { "foobar", "Zm9vYmFy" }, { "\0\255\16", "AP8Q" }, { "\251\255\191", "+/+/" },
    }
    for _, v in ipairs(vectors) do
        check.equal("encode " .. v[2], base64.encode(v[1]), v[2])
        check.equal("decode " .. v[2], base64.decode(v[2]), v[1])
    end
    check.equal("line ends", base64.decode("Zm9v\r\nYmFy\n"), "foobar")
    local all = {}
    for i = 0, 255 do
        all[#all + 1] = string.char(i)
    end
    local bytes = string.rep(table.concat(all), 100)
    check.equal("all bytes", base64.decode(base64.encode(bytes)), bytes)
    for _, bad in ipairs({ "Zg", "Zg=", "Z===", "Zm9v!", "Zm 9v", "=", "Zg==Zg==", "-_-_", "Zm9vYg=a" }) do
        local v, err = base64.decode(bad)
        check.failed("decode " .. bad, v, err, errors.INVALID, "illegal base64 data")
    end
    for _, f in ipairs({ base64.encode, base64.decode }) do
        for _, bad in ipairs({ 5, true, {} }) do
            local v, err = f(bad)
            check.failed("type", v, err, errors.INVALID, "string expected")
        end
        local v, err = f(nil)
        check.failed("nil", v, err, errors.INVALID, "string expected")
        v, err = f()
        check.failed("nothing", v, err, errors.INVALID, "string expected")
    end
    return check.over()
end

return { main = main }
