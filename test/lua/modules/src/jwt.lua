local crypto = require("crypto")
local json = require("json")
local base64 = require("base64")
local check = require("check")
local keys = require("keys")

local jwt = crypto.jwt
local far = 4102444800

local function url_decode(s)
    s = string.gsub(string.gsub(s, "-", "+"), "_", "/")
    return base64.decode(s .. string.rep("=", (4 - #s % 4) % 4))
end

local function header_of(token)
    return json.decode(url_decode(string.match(token, "^([^.]+)%.")))
end

local function refused(what, words, ...)
    local v, err = jwt.verify(...)
    check.failed(what, v, err, errors.INTERNAL, words)
end

local function known()
    -- RFC 7515 appendix A.1; its time is over, so the signature is good and the date is not
    local key = string.gsub("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow", "%s", "")
    refused("RFC 7515 A.1", "token is expired",
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0"
        .. "cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", url_decode(key))
    check.equal("HS384", (jwt.verify(keys.tokens.hs384, "secret", "HS384") or {}).sub, "a")
    check.equal("HS512", (jwt.verify(keys.tokens.hs512, "secret", "HS512") or {}).sub, "a")
    check.equal("RS256", (jwt.verify(keys.token_rs256, keys.public, "RS256") or {}).sub, "made by openssl")
    check.equal("certificate", (jwt.verify(keys.token_rs256, keys.certificate, "RS256") or {}).sub, "made by openssl")
    check.equal("PKCS#1", (jwt.verify(keys.token_rs256, keys.public_pkcs1, "RS256") or {}).sub, "made by openssl")
end

local function round_trips()
    for _, alg in ipairs({ "HS256", "HS384", "HS512" }) do
        local token = jwt.encode({ sub = "u", n = 3, list = { 1, "x" }, exp = far, deep = { yes = true } }, "secret", alg)
        check.equal(alg, header_of(token).alg, alg)
        check.equal(alg .. " typ", header_of(token).typ, "JWT")
        local claims = jwt.verify(token, "secret", alg)
        check.equal(alg .. ": sub", claims.sub, "u")
        check.equal(alg .. ": float", math.type and math.type(claims.n) or "float", "float")
        check.equal(alg .. ": list", claims.list[2], "x")
        check.equal(alg .. ": deep", claims.deep.yes, true)
    end
    for _, key in ipairs({ keys.pkcs1, keys.pkcs8 }) do
        local token = jwt.encode({ sub = "rsa", exp = far }, key, "RS256")
        check.equal("RS256", (jwt.verify(token, keys.public, "RS256") or {}).sub, "rsa")
    end
    -- An algorithm nobody knows means HS256, and the header says so.
    local token = jwt.encode({ exp = far }, "secret", "ES999")
    check.equal("unknown algorithm", header_of(token).alg, "HS256")
    check.yes("verifies", jwt.verify(token, "secret"))
    -- The default.
    check.equal("default", header_of(jwt.encode({}, "k")).alg, "HS256")

    token = jwt.encode({ exp = far, _header = { kid = "7", alg = "none", typ = "at+jwt" } }, "secret")
    local header = header_of(token)
    check.equal("kid", header.kid, "7")
    check.equal("typ", header.typ, "at+jwt")
    check.equal("the algorithm stays", header.alg, "HS256")
    check.equal("no _header claim", jwt.verify(token, "secret")._header, nil)
end

local function dates()
    local now = os.time()
    refused("expired", "token is expired", jwt.encode({ exp = now - 1 }, "k"), "k")
    refused("expired now", "token is expired", jwt.encode({ exp = now }, "k"), "k")
    refused("expired, not required", "token is expired", jwt.encode({ exp = now - 1 }, "k"), "k", "HS256", false)
    refused("long ago", "token is expired", jwt.encode({ exp = 0 }, "k"), "k", "HS256", false)
    refused("early", "token is not valid yet", jwt.encode({ exp = far, nbf = now + 100 }, "k"), "k")
    refused("no exp", "exp claim is required", jwt.encode({ sub = "x" }, "k"), "k")
    check.yes("no exp, none required", jwt.verify(jwt.encode({ sub = "x" }, "k"), "k", "HS256", false))
    check.yes("nbf past", jwt.verify(jwt.encode({ exp = far, nbf = now - 1, iat = far }, "k"), "k"))
    check.yes("fraction", jwt.verify(jwt.encode({ exp = now + 100.5 }, "k"), "k"))
    refused("exp is text", "exp claim is invalid", keys.tokens.bad_exp, "secret")
    refused("nbf is true", "nbf claim is invalid", keys.tokens.bad_nbf, "secret")
end

local function forgeries()
    local token = jwt.encode({ sub = "u", exp = far }, "secret")
    local head, body, sig = string.match(token, "^(.-)%.(.-)%.(.*)$")
    refused("other key", "signature is invalid", token, "Secret")
    refused("other alg", "signing method HS256 is invalid", token, "secret", "HS512")
    refused("none", "signing method none is invalid", keys.tokens.none, "secret")
    refused("asked for none", "signing method none is invalid", keys.tokens.none, "secret", "none")
    -- The RSA public key must not pass for an HMAC secret.
    refused("confusion", "signing method HS256 is invalid", keys.tokens.confused, keys.public, "RS256")
    refused("no signature", "signature is invalid", head .. "." .. body .. ".", "secret")
    refused("cut signature", "signature is invalid", head .. "." .. body .. "." .. string.sub(sig, 1, 40), "secret")
    refused("other body", "signature is invalid", head .. "." .. string.match(jwt.encode({ exp = far, sub = "v" }, "x"), "%.(.-)%.") .. "." .. sig, "secret")
    refused("two parts", "token is malformed", head .. "." .. body, "secret")
    refused("four parts", "token is malformed", token .. ".x", "secret")
    refused("empty", "token is malformed", "", "secret")
    refused("padding", "token is malformed", token .. "=", "secret")
    refused("header", "token is malformed", "!." .. body .. "." .. sig, "secret")
    refused("claims are a list", "token is malformed", keys.tokens.list, "secret")
    refused("claims are no JSON", "token is malformed", keys.tokens.no_json, "secret")
    refused("no alg", "token is malformed", keys.tokens.no_alg, "secret")
    refused("crit", "token is malformed", keys.tokens.crit, "secret")
    refused("empty key", "key cannot be empty", token, "")
    refused("no RSA key", "signature is invalid", keys.token_rs256, "not a key", "RS256")
    refused("elliptic key", "signature is invalid", keys.token_rs256, keys.elliptic, "RS256")
    refused("wrong RSA signature", "signature is invalid", string.gsub(keys.token_rs256, "%.[^.]*$", ".AAAA"), keys.public, "RS256")
end

local function bad_arguments()
    local v, err = jwt.encode({ 1, 2 }, "k")
    check.failed("list", v, err, errors.INVALID, "failed to convert payload to map")
    for _, key in ipairs({ "no key", keys.public, keys.elliptic, keys.encrypted }) do
        v, err = jwt.encode({ exp = far }, key, "RS256")
        check.failed("private key", v, err, errors.INVALID, "invalid RSA private key: ")
    end
    v, err = jwt.encode({ exp = far }, "")
    check.failed("empty key", v, err, errors.INVALID, "key cannot be empty")
    local loop = {}
    loop.loop = loop
    v, err = jwt.encode(loop, "k")
    check.failed("loop", v, err, errors.INVALID, "contains itself")
    check.raises("claims", "table expected", jwt.encode, "x", "k")
    check.raises("key", "string expected", jwt.encode, {})
    check.raises("token", "string expected", jwt.verify, nil, "k")
    check.raises("key", "string expected", jwt.verify, "t")
end

local function main()
    known()
    round_trips()
    dates()
    forgeries()
    bad_arguments()
    return check.over()
end

return { main = main }
