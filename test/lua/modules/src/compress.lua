local channel = require("channel")
local check = require("check")
local compress = require("compress")

-- While a chunk is loaded, too.
local at_load = compress.gzip.decode((compress.gzip.encode("at load")))

local function main()
    check.equal("at load", at_load, "at load")
    local text = string.rep("the same again and again ", 4000)
    for _, name in ipairs({ "gzip", "deflate", "zlib", "brotli", "zstd" }) do
        local codec = compress[name]
        local packed, err = codec.encode(text)
        if err and err:kind() == errors.UNAVAILABLE then
            check.yes(name .. " is known", codec)
        else
            check.yes(name .. " is smaller", #packed < #text / 10)
            check.equal(name .. " comes back", codec.decode(packed), text)
            check.equal(name .. " short", codec.decode((codec.encode("x\0y"))), "x\0y")
            local v
            v, err = codec.decode(packed, { max_size = 1000 })
            check.failed(name .. " limit", v, err, name == "brotli" and errors.INVALID or errors.INTERNAL,
                name == "brotli" and "invalid brotli data" or "decompressed size exceeds limit")
            check.equal(name .. " odd limit is ignored", codec.decode(packed, { max_size = -1 }), text)
            v, err = codec.decode(packed:sub(1, 20))
            check.failed(name .. " cut", v, err, errors.INVALID, "invalid " .. name .. " data")
            v, err = codec.decode("no such data")
            check.failed(name .. " garbage", v, err, errors.INVALID, "invalid " .. name .. " data")
            v, err = codec.encode("")
            check.failed(name .. " nothing", v, err, errors.INVALID, "input data cannot be empty")
            v, err = codec.decode("")
            check.failed(name .. " nothing to decode", v, err, errors.INVALID, "input data cannot be empty")
            v, err = codec.encode({})
            check.failed(name .. " a table", v, err, errors.INVALID, "string expected")
            v, err = codec.encode(12)
            check.failed(name .. " a number", v, err, errors.INVALID, "string expected")
            v, err = codec.encode("x", { level = 99 })
            check.failed(name .. " level", v, err, errors.INVALID, "compression level must be between")
            v, err = codec.encode("x", { level = 1.5 })
            check.failed(name .. " half a level", v, err, errors.INVALID, "compression level must be between")
            check.yes(name .. " best", #codec.encode(text, { level = 9 }) <= #codec.encode(text, { level = 1 }))
            check.raises(name .. " options", "table expected", codec.encode, "x", "y")
        end
    end
    local dict = "the same again and again "
    local packed = compress.zlib.encode(dict, { dict = dict })
    check.equal("dictionary", compress.zlib.decode(packed, { dict = dict }), dict)
    packed = compress.zstd.encode(text, { dict = text })
    check.equal("dictionary of zstd", not packed or compress.zstd.decode(packed, { dict = text }), not packed or text)
    packed = compress.zlib.encode(dict, { dict = dict })
    check.equal("dictionary missing", (compress.zlib.decode(packed)), nil)
    -- Concurrently, while others go on.
    local done = channel.new(4)
    for i = 1, 4 do
        coroutine.spawn(function()
            local data = string.rep(tostring(i), 3000000)
            done:send(compress.gzip.decode((compress.gzip.encode(data))) == data)
        end)
    end
    check.equal("meanwhile", compress.gzip.decode((compress.gzip.encode(text))), text)
    for i = 1, 4 do check.equal("one of four", (done:receive()), true) end
    return check.over()
end

return { main = main }
