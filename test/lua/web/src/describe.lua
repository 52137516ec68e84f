-- What the request says, every getter of it.
local http = require("http")

local function say(err)
    return err and { kind = err:kind(), message = err:message(), retryable = err:retryable() }
end

local function run()
    local req, res = http.request(), http.response()
    local value, second = req:method()
    local refused = {}
    for _, name in ipairs({ "query", "header", "param", "accepts", "is_content_type" }) do
        refused[name] = not pcall(function() req[name](req) end) and not pcall(function() req[name](req, 1) end)
    end
    local of_other = { pcall(function() req.method(res) end) }
    local params, params_error = req:params()
    local param, param_error = req:param("id")
    res:write_json({
        method = value,
        second_is_nil = second == nil,
        path = req:path(),
        query = {
            a = req:query("a"), b = req:query("b c"), empty = req:query("empty"), none = tostring((req:query("none"))),
        },
        query_params = req:query_params(),
        header = {
            canonical = req:header("X-Api-Key"), lower = req:header("x-api-key"), twice = req:header("X-Twice"),
            host = tostring((req:header("Host"))), none = tostring((req:header("X-None"))),
        },
        content_type = tostring((req:content_type())),
        content_length = req:content_length(),
        host = req:host(),
        remote_addr = req:remote_addr(),
        param = param,
        kind_param = req:param("kind"),
        no_param = tostring((req:param("other"))),
        params = params,
        params_error = say(params_error) or say(param_error),
        has_body = req:has_body(),
        accepts = {
            json = req:accepts("application/json"), html = req:accepts("text/html"), plain = req:accepts("text/plain"),
        },
        is_json = req:is_content_type("application/json"),
        is_upper = req:is_content_type("APPLICATION/JSON"),
        text = tostring(req),
        response_text = tostring(res),
        refused = refused,
        of_other = tostring(of_other[2]),
        type = type(req),
    })
end

return { run = run }
