local crypto = require("crypto")
local hash = require("hash")
local check = require("check")

local function randomness()
    check.equal("one byte", #crypto.random.bytes(1), 1)
    check.equal("many", #crypto.random.bytes(1048576), 1048576)
    check.yes("two differ", crypto.random.bytes(16) ~= crypto.random.bytes(16))
    check.equal("string", #crypto.random.string(1000), 1000)
    check.yes("alphanumeric", string.match(crypto.random.string(5000), "^[A-Za-z0-9]+$"))
    check.yes("charset", string.match(crypto.random.string(300, "xyz"), "^[xyz]+$"))
    check.equal("one character", crypto.random.string(5, "a"), "aaaaa")
    local seen = {}
    for c in string.gmatch(crypto.random.string(5000, "0123456789"), ".") do
        seen[c] = (seen[c] or 0) + 1
    end
    for i = 0, 9 do
        check.yes("each character comes", (seen[tostring(i)] or 0) > 300)
    end
    check.yes("uuid", string.match(crypto.random.uuid(), "^%x+%-%x+%-4%x%x%x%-[89ab]%x%x%x%-%x+$"))
    for _, f in ipairs({ crypto.random.bytes, crypto.random.string }) do
        for _, n in ipairs({ 0, -1 }) do
            local v, err = f(n)
            check.failed("length", v, err, errors.INVALID, "length must be a positive integer")
        end
        local v, err = f(1048577)
        check.failed("length", v, err, errors.INVALID, "length exceeds maximum allowed size (1MB)")
        check.raises("no length", "number expected", f, "x")
    end
    local v, err = crypto.random.string(4, "")
    check.failed("charset", v, err, errors.INVALID, "charset cannot be empty")
end

local function hmac()
    check.equal("sha256", crypto.hmac.sha256("Jefe", "what do ya want for nothing?"),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    check.equal("key first", crypto.hmac.sha512("k", "d"), hash.hmac_sha512("d", "k"))
    local v, err = crypto.hmac.sha256("", "d")
    check.failed("empty key", v, err, errors.INVALID, "key cannot be empty")
    check.raises("wrong type", "string expected", crypto.hmac.sha512, "k", {})
end

local function ciphers()
    -- NIST SP 800-38D test case 4 (the GCM specification), with additional data
    local key = check.bytes("feffe9928665731c6d6a8f9467308308")
    local sealed = check.bytes("cafebabefacedbaddecaf888"
        .. "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"
        .. "5bc94fbc3221a5db94fae95ae7121a47")
    local aad = check.bytes("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    check.equal("aes", check.hex(crypto.decrypt.aes(sealed, key, aad)),
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39")
    -- RFC 8439 section 2.8.2
    local key2 = check.bytes("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f")
    local sealed2 = check.bytes("070000004041424344454647"
        .. "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
        .. "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b6116"
        .. "1ae10b594f09e26a7e902ecbd0600691")
    check.equal("chacha20", crypto.decrypt.chacha20(sealed2, key2, check.bytes("50515253c0c1c2c3c4c5c6c7")),
        "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.")

    for _, name in ipairs({ "aes", "chacha20" }) do
        local encrypt, decrypt = crypto.encrypt[name], crypto.decrypt[name]
        for _, size in ipairs(name == "aes" and { 16, 24, 32 } or { 32 }) do
            local k = string.rep("k", size)
            for _, text in ipairs({ "", "x", string.rep("long ", 10000) }) do
                local box = encrypt(text, k)
                check.equal(name .. ": length", #box, #text + 28)
                check.equal(name .. ": back", decrypt(box, k), text)
                local with = encrypt(text, k, "header")
                check.equal(name .. ": with data", decrypt(with, k, "header"), text)
                local v, err = decrypt(with, k)
                check.failed(name .. ": data missing", v, err, errors.INTERNAL, "decrypt")
                v, err = decrypt(box, string.rep("q", size))
                check.failed(name .. ": other key", v, err, errors.INTERNAL, "decrypt")
                v, err = decrypt(string.sub(box, 1, -2) .. string.char((string.byte(box, -1) + 1) % 256), k)
                check.failed(name .. ": changed", v, err, errors.INTERNAL, "decrypt")
            end
            check.yes(name .. ": nonces differ", encrypt("same", k) ~= encrypt("same", k))
            local v, err = decrypt(string.rep("x", 27), k)
            check.failed(name .. ": short", v, err, errors.INVALID, "encrypted data too short")
            v, err = decrypt(string.rep("x", 28), k)
            check.failed(name .. ": nothing but noise", v, err, errors.INTERNAL, "decrypt")
        end
        local words = name == "aes" and "key must be 16, 24, or 32 bytes" or "key must be 32 bytes"
        for _, size in ipairs({ 0, 15, 31, 33 }) do
            local v, err = encrypt("x", string.rep("k", size))
            check.failed(name .. ": key", v, err, errors.INVALID, words)
            v, err = decrypt(string.rep("x", 40), string.rep("k", size))
            check.failed(name .. ": key", v, err, errors.INVALID, words)
        end
        check.raises(name .. ": type", "string expected", encrypt, {}, "k")
        check.raises(name .. ": type", "string expected", decrypt, "x")
    end
end

local function comparing()
    check.equal("same", crypto.constant_time_compare("abc", "abc"), true)
    check.equal("other", crypto.constant_time_compare("abc", "abd"), false)
    check.equal("longer", crypto.constant_time_compare("abc", "abcd"), false)
    check.equal("nothing", crypto.constant_time_compare("", ""), true)
    check.raises("type", "string expected", crypto.constant_time_compare, "a", nil)
end

local function main()
    randomness()
    hmac()
    ciphers()
    comparing()
    return check.over()
end

return { main = main }
