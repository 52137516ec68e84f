local uuid = require("uuid")
local check = require("check")

local dns = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"

local function invalid(words, v, err)
    check.failed(words, v, err, errors.INVALID, words)
end

local function making()
    for version, make in pairs({ [1] = uuid.v1, [4] = uuid.v4, [7] = uuid.v7 }) do
        local seen = {}
        for _ = 1, 1000 do
            local id = make()
            check.yes("text", string.match(id, "^%x%x%x%x%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$"))
            check.equal("version", uuid.version(id), version)
            check.equal("variant", uuid.variant(id), "RFC4122")
            check.equal("never twice", seen[id], nil)
            seen[id] = true
        end
    end
    local last = ""
    for _ = 1, 1000 do
        local id = uuid.v7()
        check.yes("v7 goes up", id > last)
        last = id
    end
    for _, id in ipairs({ uuid.v1(), uuid.v7() }) do
        check.yes("made now", math.abs(uuid.parse(id).timestamp - os.time()) <= 2)
    end
    -- RFC 9562 appendix A.2 and A.4
    check.equal("v3", uuid.v3(dns, "www.example.com"), "5df41881-3aed-3515-88a7-2f4a814cf09e")
    check.equal("v5", uuid.v5(dns, "www.example.com"), "2ed6657d-e927-568b-95e1-2665a8aea6a2")
    check.equal("other spelling", uuid.v5("{" .. string.upper(dns) .. "}", "www.example.com"), "2ed6657d-e927-568b-95e1-2665a8aea6a2")
    for _, f in ipairs({ uuid.v3, uuid.v5 }) do
        invalid("namespace and name must be strings", f(dns))
        invalid("namespace and name must be strings", f(5, "x"))
        invalid("invalid namespace UUID", f("dns", "x"))
    end
end

local function reading()
    local plain = "c232ab00-9414-11ec-b3c8-9f6bdeced846" -- RFC 9562 appendix A.1
    for _, text in ipairs({ plain, string.upper(plain), "urn:uuid:" .. plain, "{" .. plain .. "}", (string.gsub(plain, "-", "")) }) do
        check.equal("valid " .. text, uuid.validate(text), true)
        check.equal("format " .. text, uuid.format(text), plain)
        local parts = uuid.parse(text)
        check.equal("version", parts.version, 1)
        check.equal("variant", parts.variant, "RFC4122")
        check.equal("timestamp", parts.timestamp, 1645557742)
        check.equal("node", check.hex(parts.node), "9f6bdeced846")
    end
    check.equal("standard", uuid.format(plain, "standard"), plain)
    check.equal("simple", uuid.format(plain, "simple"), "c232ab00941411ecb3c89f6bdeced846")
    check.equal("urn", uuid.format(plain, "urn"), "urn:uuid:" .. plain)
    invalid("unsupported format", uuid.format(plain, "short"))
    invalid("unsupported format", uuid.format(plain, 5))
    -- Appendix A.6
    local seven = uuid.parse("017f22e2-79b0-7cc3-98c4-dc0c0c07398f")
    check.equal("v7", seven.version, 7)
    check.equal("v7 timestamp", seven.timestamp, 1645557742)
    check.equal("v7 node", seven.node, nil)
    check.equal("v4 timestamp", uuid.parse("919108f7-52d1-4320-9bac-f847db4148a8").timestamp, nil)
    check.equal("Microsoft", uuid.variant("00000000-0000-4000-c000-000000000000"), "Microsoft")
    check.equal("Future", uuid.variant("00000000-0000-4000-e000-000000000000"), "Future")
    check.equal("Reserved", uuid.variant("00000000-0000-4000-0000-000000000000"), "Reserved")
    for _, bad in ipairs({ "", "x", plain .. "0", string.sub(plain, 2), "{" .. plain, "urn:oid:" .. plain, (string.gsub(plain, "c", "g")),
        (string.gsub(plain, "-", "+")) }) do
        check.equal("not valid: " .. bad, uuid.validate(bad), false)
        for _, f in ipairs({ uuid.version, uuid.variant, uuid.parse, uuid.format }) do
            invalid("invalid UUID format", f(bad))
        end
    end
    for _, bad in ipairs({ 5, true, {} }) do
        check.equal("no string", uuid.validate(bad), false)
        for _, f in ipairs({ uuid.version, uuid.variant, uuid.parse, uuid.format }) do
            invalid("input must be a string", f(bad))
        end
    end
    check.equal("nil", uuid.validate(nil), false)
end

local function main()
    making()
    reading()
    return check.over()
end

return { main = main }
