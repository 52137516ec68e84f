local hash = require("hash")
local check = require("check")

local digests = {
    -- RFC 1321, FIPS 180-4
    { "md5", "", "d41d8cd98f00b204e9800998ecf8427e" },
    { "md5", "abc", "900150983cd24fb0d6963f7d28e17f72" },
    { "sha1", "", "da39a3ee5e6b4b0d3255bfef95601890afd80709" },
    { "sha1", "abc", "a9993e364706816aba3e25717850c26c9cd0d89d" },
    { "sha256", "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
    { "sha256", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
    { "sha512", "abc", "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        .. "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f" },
}

-- RFC 2202 and 4231, second case
local what, secret = "what do ya want for nothing?", "Jefe"
local hmacs = {
    { "hmac_md5", "750c783e6ab0b503eaa86e310a5db738" },
    { "hmac_sha1", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79" },
    { "hmac_sha256", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
    { "hmac_sha512", "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
        .. "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737" },
}

local function main()
    for _, d in ipairs(digests) do
        check.equal(d[1], hash[d[1]](d[2]), d[3])
        check.equal(d[1] .. " raw", hash[d[1]](d[2], true), check.bytes(d[3]))
        check.equal(d[1] .. " not raw", hash[d[1]](d[2], false), d[3])
    end
    for _, h in ipairs(hmacs) do
        check.equal(h[1], hash[h[1]](what, secret), h[2])
        check.equal(h[1] .. " raw", hash[h[1]](what, secret, true), check.bytes(h[2]))
        local v, err = hash[h[1]](what, nil)
        check.failed(h[1] .. " secret", v, err, errors.INVALID, "secret must be a string")
        v, err = hash[h[1]](12, secret)
        check.failed(h[1] .. " data", v, err, errors.INVALID, "data must be a string")
    end
    -- RFC 4231, case 6: a key longer than a block
    check.equal("long key", hash.hmac_sha256("Test Using Larger Than Block-Size Key - Hash Key First", string.rep("\170", 131)),
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")
    check.equal("empty key", hash.hmac_sha256("", ""), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad")
    -- FNV-1
    check.equal("fnv32 of nothing", hash.fnv32(""), 2166136261)
    check.equal("fnv32", hash.fnv32("foobar"), 0x31f0b262)
    check.equal("fnv64 of nothing", hash.fnv64(""), 14695981039346656037.0)
    check.equal("fnv64", hash.fnv64("foobar"), 0x340d8765a4dda9c2 + 0.0)
    for _, name in ipairs({ "md5", "sha1", "sha256", "sha512", "fnv32", "fnv64" }) do
        local v, err = hash[name](nil)
        check.failed(name, v, err, errors.INVALID, "data must be a string")
    end
    return check.over()
end

return { main = main }
