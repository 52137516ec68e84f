local crypto = require("crypto")
local time = require("time")
local check = require("check")

local function vectors()
    -- RFC 7914 section 11
    check.equal("one round", check.hex(crypto.pbkdf2("passwd", "salt", 1, 64)),
        "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783")
    check.equal("80000 rounds", check.hex(crypto.pbkdf2("Password", "NaCl", 80000, 64, "sha256")),
        "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d")
    -- From Python's hashlib
    check.equal("sha512", check.hex(crypto.pbkdf2("password", "salt", 1, 64, "sha512")),
        "867f70cf1ade02cff3752599a3a53dc4af34c7a669815ae5d513554e1c8cf252c02d470a285a0501bad999bfe943c08f050235d7d68b1da55e63f73b60a57fce")
    check.equal("a NUL", #crypto.pbkdf2("pass\0word", "sa\0lt", 4096, 16), 16)
end

local function refused(words, ...)
    local v, err = crypto.pbkdf2(...)
    check.failed(words, v, err, errors.INVALID, words)
end

local function errors_of()
    refused("password cannot be empty", "", "s", 1, 1)
    refused("salt cannot be empty", "p", "", 1, 1)
    refused("iterations must be positive", "p", "s", 0, 1)
    refused("iterations must be positive", "p", "s", -5, 1)
    refused("iterations exceeds maximum (10000000)", "p", "s", 10000001, 1)
    refused("key length must be positive", "p", "s", 1, 0)
    refused("unsupported hash function: md5", "p", "s", 1, 1, "md5")
    refused("key length exceeds", "p", "s", 1, 1048577)
    refused("key length exceeds", "p", "s", 10000000, 1000)
    check.raises("password", "string expected", crypto.pbkdf2, nil, "s", 1, 1)
    check.raises("iterations", "number expected", crypto.pbkdf2, "p", "s", "many", 1)
end

-- Others run while a key is derived.
local function waiting()
    local ticks, done = 0, false
    local finished = channel.new(1)
    coroutine.spawn(function()
        while not done do
            time.sleep("2ms")
            ticks = ticks + 1
        end
        finished:send(true)
    end)
    crypto.pbkdf2("password", "salt", 300000, 32)
    done = true
    finished:receive()
    check.yes("others ran: " .. tostring(ticks), ticks >= 5)
end

local function main()
    vectors()
    errors_of()
    waiting()
    return check.over()
end

return { main = main }
