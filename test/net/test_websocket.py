"""The websocket module against a server that knows frames as bytes: options, errors, closing, back-pressure, compression, TLS, and who else may know."""
import json
import re
import struct
import time
import zlib

import pytest

from certificates import Certificates
from websocket_peer import BINARY, FIN, PING, PONG, RSV1, TEXT, Gone, Server

USE = 'local websocket = require("websocket") local function told(e) return e and { error = tostring(e), kind = e:kind(), retryable = e:retryable(), ' \
      'code = (e:details() or {}).code } or nil end '


@pytest.fixture
def serve():
    """serve(handle, ...): a server for one test."""
    made = []

    def make(*args, **kw):
        made.append(Server(*args, **kw))
        return made[-1]
    yield make
    for s in made:
        s.stop()


@pytest.fixture
def run(lua):
    """run(body, ...): the body of main(...), where told(err) makes an error a table."""
    def make(body, *args, **kw):
        for kind in ("functions", "processes"):
            kw[kind] = {n: USE + c for n, c in kw.get(kind, {}).items()}
        return lua(f"{USE} local function main(...)\n{body}\nend", *args, **kw)
    return make


CONNECT = "local url, options = ... local c, err = websocket.connect(url, options and json.decode(options)) " \
          "if err then say(told(err)) return end "


# -- talking ---------------------------------------------------------------------------------------------------------------

def test_messages_of_all_sizes_come_back_in_order(run, serve):
    s = serve()
    r = run(CONNECT + """
      local ch = c:channel()
      for i, n in ipairs({ 0, 1, 125, 126, 127, 65535, 65536, 1000000 }) do
        local kind = i % 2 == 0 and websocket.BINARY or websocket.TEXT
        local ok, err = c:send(string.rep("x", n), kind)
        assert(ok == true and err == nil)
        local m, open = ch:receive()
        assert(open and m.type == (i % 2 == 0 and "binary" or "text") and #m.data == n, n)
      end
      c:send("\\0\\xff", websocket.BINARY)
      assert(ch:receive().data == "\\0\\xff")
      c:send("no such type", 77)
      assert(ch:receive().type == "text")
      assert(c:channel() == ch and c:receive() == ch)
      say("good")
    """, s.url)
    assert r.only == "good"
    # The end of the program is said, too, and every frame had a mask of its own.
    assert s.result() == struct.pack("!H", 1001)
    assert None not in s.conns[0].masks and len(set(s.conns[0].masks)) == len(s.conns[0].masks)


def test_what_the_server_is_asked(run, serve):
    s = serve(Sec_WebSocket_Protocol="b")
    options = {"headers": {"X-One": "1", "x-two": "2", "Connection": "close", "sec-websocket-key": "k", "X-Number": 5, "Host": "h"},
               "protocols": ["a", "b", 3], "compression": 1}
    assert run(CONNECT + "say('good')", s.url + "/path?q=1", json.dumps(options)).only == "good"
    conn = s.conns[0]
    assert conn.request.startswith("GET /path?q=1 HTTP/1.1\r\n")
    assert {n: conn.fields[n] for n in ("host", "connection", "upgrade", "sec-websocket-version", "x-one", "x-two")} == {
        "host": [f"127.0.0.1:{s.port}"], "connection": ["Upgrade"], "upgrade": ["websocket"], "sec-websocket-version": ["13"],
        "x-one": ["1"], "x-two": ["2"]}
    assert conn.fields["sec-websocket-protocol"] == ["a, b"] and "x-number" not in conn.fields
    assert conn.fields["sec-websocket-extensions"] == ["permessage-deflate"]
    assert len(conn.fields["sec-websocket-key"]) == 1 and len(conn.field("sec-websocket-key")) == 24


def test_options_of_the_wrong_type_are_ignored(run, serve):
    s = serve()
    bad = {"headers": "x", "protocols": "a", "dial_timeout": True, "read_timeout": "soon", "write_timeout": {}, "compression": 9,
           "compression_threshold": -1, "read_limit": 134217729, "channel_capacity": 0, "nonsense": 1}
    r = run(CONNECT + "c:send('x') say(c:channel():receive())", s.url, json.dumps(bad))
    assert r.only == {"type": "text", "data": "x"}
    assert "sec-websocket-extensions" not in s.conns[0].fields and "sec-websocket-protocol" not in s.conns[0].fields


def test_http_is_a_synonym(run, serve):
    s = serve()
    assert run(CONNECT + "c:send('x') say(c:channel():receive().data)", s.url.replace("ws:", "HTTP:")).only == "x"


def test_constants_cannot_be_changed(run):
    r = run("""
      say({ websocket.TEXT, websocket.BINARY, websocket.TYPE_TEXT, websocket.TYPE_BINARY, websocket.TYPE_PING, websocket.TYPE_PONG,
        websocket.TYPE_CLOSE, websocket.COMPRESSION.DISABLED, websocket.COMPRESSION.CONTEXT_TAKEOVER, websocket.COMPRESSION.NO_CONTEXT,
        websocket.CLOSE_CODES.NORMAL, websocket.CLOSE_CODES.GOING_AWAY, websocket.CLOSE_CODES.TLS_HANDSHAKE })
      say({ (pcall(function() websocket.TEXT = 3 end)), (pcall(function() websocket.CLOSE_CODES.NORMAL = 3 end)) })
    """)
    assert r.values == [[1, 2, "text", "binary", "ping", "pong", "close", 0, 1, 2, 1000, 1001, 1015], [False, False]]


def test_arguments_of_the_wrong_kind_are_raised(run, serve):
    s = serve()
    r = run("""
      local url = ...
      local c = websocket.connect(url)
      local function raised(f, ...) local ok, err = pcall(f, ...) say(ok and "nothing" or tostring(err)) end
      raised(websocket.connect) raised(websocket.connect, "") raised(websocket.connect, url, "x") raised(websocket.connect, {})
      raised(c.send, c) raised(c.send, c, 5) raised(c.send, c, {}) raised(c.send, "x", "y")
    """, s.url)
    words = ["string expected", "URL required", "table expected", "string expected", "string expected", "string expected", "string expected",
             "websocket.Client expected"]
    assert all(w in v for w, v in zip(words, r.values)) and len(r.values) == len(words), r


def test_select_and_several_coroutines(run, serve):
    s = serve()
    r = run(CONNECT + """
      local ch, done, other = c:channel(), channel.new(10), channel.new(1)
      for i = 1, 10 do
        coroutine.spawn(function()
          for j = 1, 20 do assert(c:send(i .. ":" .. j .. ":" .. string.rep("z", 5000))) end
          done:send(i)
        end)
      end
      local got, last = 0, {}
      while got < 200 do
        local result = channel.select({ ch:case_receive(), other:case_receive() })
        assert(result.channel == ch and result.ok)
        local i, j, rest = result.value.data:match("^(%d+):(%d+):(z+)$")
        assert(#rest == 5000 and tonumber(j) == (last[i] or 0) + 1)
        last[i], got = tonumber(j), got + 1
      end
      say(got)
    """.replace("say(got)", "say({ got })"), s.url)
    assert r.only == [200]


def test_ping(run, serve):
    def handle(conn):
        conn.send(FIN | PING, b"from the server")
        return [(f.opcode, f.data) for f in (conn.frame(), conn.frame())]
    s = serve(handle)
    assert run(CONNECT + "local ok, err = c:ping() say({ ok, err == nil }) time.sleep('300ms')", s.url).only == [True, True]
    assert sorted(s.result()) == [(PING, b""), (PONG, b"from the server")]


# -- failing to connect ----------------------------------------------------------------------------------------------------

def test_failures_of_the_handshake(run, serve, nobody):
    def refusing(status):
        return serve(lambda c: c.send_bytes(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode()), accept=False).url
    lying = serve(lambda c: c.send_bytes(b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"), accept=False)
    cases = [
        (f"ws://127.0.0.1:{nobody}/", None, "connection refused"),
        ("ws://no-such-host.invalid/", None, "no such host"),
        ("ftp://127.0.0.1/", None, 'unexpected url scheme: "ftp"'),
        ("nonsense", None, 'unexpected url scheme: ""'),
        ("ws://x.onion/", None, "choose an overlay for it"),
        (refusing(403), None, "expected handshake response status code 101 but got 403"),
        (refusing(200), None, "expected handshake response status code 101 but got 200"),
        (lying.url, None, "invalid Sec-WebSocket-Accept"),
        (serve(Sec_WebSocket_Protocol="z").url, None, "unexpected Sec-WebSocket-Protocol from server"),
        (serve(Sec_WebSocket_Extensions="permessage-deflate").url, None, "unsupported extensions from server"),
        (serve(lambda c: None, accept=False).url, None, "EOF"),
        (serve(lambda c: time.sleep(5), accept=False).url, {"dial_timeout": 150}, "context deadline exceeded"),
        (serve(lambda c: time.sleep(5), accept=False).url, {"dial_timeout": "150ms"}, "context deadline exceeded"),
        (serve().url, {"headers": {"a b": "c"}}, "invalid header field name"),
        (serve().url, {"headers": {"a": "b\r\nc: d"}}, "invalid header field value"),
        (serve().url, {"protocols": ["a\r\nb"]}, "invalid subprotocol"),
    ]
    r = run("for _, c in ipairs(json.decode(...)) do local c, err = websocket.connect(c[1], c[2]) say(c and 'connected' or told(err)) end",
            json.dumps([[u, o] if o else [u] for u, o, _ in cases]))
    for (url, _, words), got in zip(cases, r.values):
        assert got["error"].startswith("failed to dial websocket: ") and words in got["error"], (url, got)
        assert (got["kind"], got["retryable"]) == ("Internal", True), got
    assert len(r.values) == len(cases) and r.seconds < 10


def test_a_redirect_is_followed_and_takes_no_credentials_along(run, serve):
    second = serve()
    first = serve(lambda c: c.send_bytes(f"HTTP/1.1 302 Found\r\nLocation: ws://localhost:{second.port}/there\r\n\r\n".encode()), accept=False)
    r = run(CONNECT + "c:send('x') say(c:channel():receive().data)", first.url.replace("ws://", "ws://u:p@"), '{"headers": {"Cookie": "c", "X-Keep": "k"}}')
    assert r.only == "x"
    assert first.conns[0].field("authorization") == "Basic dTpw" and first.conns[0].field("cookie") == "c"
    assert second.conns[0].field("authorization") is None and second.conns[0].field("cookie") is None
    assert second.conns[0].field("x-keep") == "k" and second.conns[0].request.startswith("GET /there ")


# -- ends ------------------------------------------------------------------------------------------------------------------

def test_the_program_closes(run, serve):
    s = serve()
    cases = [[], [4000, "bye"], [1001], [999], [5000], ["x"], [1000, "r" * 200]]
    r = run("""
      local url, cases = ...
      for _, args in ipairs(json.decode(cases)) do
        local c = websocket.connect(url)
        local ch = c:channel()
        assert(select("#", c:close(table.unpack(args))) == 0)
        local v, open = ch:receive()
        assert(v == nil and open == false)
        for _, f in ipairs({ c.close, c.ping, c.channel, c.receive, function(c) return c:send("x") end }) do
          local v, err = f(c)
          assert(v == nil and tostring(err) == "websocket connection not found" and err:kind() == "NotFound" and not err:retryable())
        end
      end
      say("good")
    """, s.url, json.dumps(cases))
    assert r.only == "good"
    got = [s.result(i) for i in range(len(cases))]
    codes = [struct.unpack("!H", g[:2])[0] for g in got]
    assert codes == [1000, 4000, 1001, 1000, 1000, 1000, 1000]
    assert got[1][2:] == b"bye" and got[6][2:] == b"r" * 123


@pytest.mark.parametrize("code", [1005, 1006, 1015])
def test_codes_that_are_never_sent_drop_the_connection(run, serve, code):
    s = serve()
    assert run(CONNECT + f"c:close({code}) say('closed')", s.url).only == "closed"
    assert isinstance(s.result(), Gone)


def test_what_waits_is_delivered_before_the_end(run, serve):
    def handle(conn):
        for i in range(10):
            conn.text(str(i))
        conn.close(4321, b"enough")
        return conn.frame()
    s = serve(handle)
    r = run(CONNECT + """
      time.sleep("200ms")
      local ch, all = c:channel(), {}
      while true do
        local m, open = ch:receive()
        if not open then break end
        table.insert(all, m.data)
      end
      say(table.concat(all, ","))
      local v, err = c:send("x")
      say(told(err))
      v, err = c:ping()
      say(told(err))
      c:close()
    """, s.url)
    assert r.values == ["0,1,2,3,4,5,6,7,8,9", *[{"error": "websocket connection closed", "kind": "Unavailable", "retryable": False}] * 2]
    assert s.result().code == 4321


def test_too_large_a_message(run, serve):
    def handle(conn):
        conn.send(TEXT, b"x" * 60)
        conn.send(FIN, b"x" * 41)
        return conn.frame()
    s = serve(handle)
    r = run(CONNECT + "local v, open = c:channel():receive() say({ v == nil, open })", s.url, '{"read_limit": 100}')
    assert r.only == [True, False]
    assert s.result().code == 1009


def test_a_bomb_counts_as_it_unfolds(run, serve):
    def handle(conn):
        conn.send(FIN | RSV1 | BINARY, conn.compressed(b"\0" * 50_000_000))
        return conn.frame()
    s = serve(handle, Sec_WebSocket_Extensions="permessage-deflate")
    r = run(CONNECT + "local v, open = c:channel():receive() say({ v == nil, open })", s.url, '{"read_limit": 1000000, "compression": 1}')
    assert r.only == [True, False]
    assert s.result().code == 1009


def test_silence_ends_it(run, serve):
    def handle(conn):
        conn.text("one")
        return conn.frame()
    s = serve(handle)
    r = run(CONNECT + "local ch = c:channel() say(ch:receive().data) local v, open = ch:receive() say({ open })", s.url, '{"read_timeout": "200ms"}')
    assert r.values == ["one", [False]] and r.seconds < 10
    assert s.result().code == 1008


def test_a_server_that_does_not_read(run, serve, slower):
    s = serve(lambda c: time.sleep(20 * slower))
    r = run(CONNECT + """
      local data, v, err = string.rep("x", 1000000)
      for i = 1, 100 do
        v, err = c:send(data)
        if err then break end
      end
      say(told(err))
    """, s.url, '{"write_timeout": 300}')
    assert r.only["error"].startswith("failed to send message") and r.only["kind"] == "Internal" and not r.only["retryable"], r
    assert r.seconds < 15 * slower


def test_a_broken_connection(run, serve):
    def handle(conn):
        conn.text("a")
        conn.send_bytes(b"\x81\x05ab")  # and no more
    s = serve(handle)
    assert run(CONNECT + "local ch = c:channel() say(ch:receive().data) local v, open = ch:receive() say({ open })", s.url).values == ["a", [False]]


ENDS = {
    "the call returns": ('say({ funcs.call("app:holder_f", url) })', ""),
    "the call fails": ('local v, err = funcs.call("app:holder_f", url, "fail") say({ err ~= nil })', ""),
    "the process ends": ('process.exec("app:holder_p", "app:processes", url) say({ true })', ""),
    "the process is killed": ("""
      local ready = process.listen("ready")
      local pid = process.spawn("app:holder_p", "app:processes", url, "stay", process.pid())
      ready:receive() process.terminate(pid) say({ true }) time.sleep("300ms")
    """, ""),
}
HOLDER = """
local function main(url, how, boss)
  local c, err = websocket.connect(url)
  if err then error(err) end
  c:send("hello")
  c:channel():receive()
  if boss then process.send(boss, "ready", true) end
  if how == "fail" then error("on purpose") end
  if how == "stay" then c:channel():receive() end
  return true
end
"""


@pytest.mark.parametrize("how", ENDS)
def test_the_owner_ends_and_the_server_hears_it(run, serve, how):
    s = serve()
    r = run("local url = ... " + ENDS[how][0], s.url, functions={"holder_f": HOLDER}, processes={"holder_p": HOLDER})
    assert r.only == [True]
    assert s.result() == struct.pack("!H", 1001)


def test_killed_while_connecting_and_while_sending(run, serve, slower):
    silent, deaf = serve(lambda c: c.frame(), accept=False), serve(lambda c: time.sleep(2 * slower))
    r = run("""
      local silent, deaf = ...
      for i = 1, 20 do
        local a = process.spawn("app:connecting", "app:processes", silent)
        local b = process.spawn("app:sending", "app:processes", deaf)
        time.sleep(i .. "ms")
        process.terminate(a)
        process.terminate(b)
      end
      time.sleep("300ms")
      say("alive")
    """, silent.url, deaf.url, processes={
        "connecting": "local function main(url) websocket.connect(url) end",
        "sending": """local function main(url)
          local c = websocket.connect(url)
          while c do c:send(string.rep("x", 1000000)) end
        end"""})
    assert r.only == "alive"


# -- back-pressure ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("size, count", [(10, 20000), (100000, 400)])
def test_a_slow_consumer_loses_nothing_and_is_waited_for(run, serve, size, count):
    sent = []

    def handle(conn):
        for i in range(count):
            conn.send(FIN | BINARY, b"%06d" % i + b"x" * size)
            sent.append(time.monotonic())
        conn.close()
        return conn.frame()
    s = serve(handle)
    r = run(CONNECT + """
      time.sleep("1500ms")
      local ch, n = c:channel(), 0
      while true do
        local m, open = ch:receive()
        if not open then break end
        assert(tonumber(m.data:sub(1, 6)) == n)
        n = n + 1
        if n == 1 then time.sleep("1500ms") end
      end
      say({ n })
    """, s.url)
    assert r.only == [count]
    assert s.result().code == 1000
    if size * count > 20_000_000:
        # What neither side's buffers hold had to wait for the program, twice.
        pauses = [b - a for a, b in zip(sent, sent[1:])]
        assert max(pauses) > 0.3


def test_before_the_channel_only_a_few_messages_are_taken(run, serve):
    taken = []

    def handle(conn):
        conn.s.settimeout(1)
        try:
            for i in range(2000):
                conn.send(FIN | BINARY, b"x" * 100000)
                taken.append(i)
        except (Gone, OSError):
            pass
    s = serve(handle)
    r = run(CONNECT + "time.sleep('1500ms') say('slept')", s.url, '{"channel_capacity": 2}')
    assert r.only == "slept"
    assert len(taken) < 300  # the system's buffers hold some megabytes


# -- compression -----------------------------------------------------------------------------------------------------------

MODES = {
    "context_takeover": (1, "permessage-deflate"),
    "no_context_takeover": (2, "permessage-deflate; client_no_context_takeover; server_no_context_takeover"),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("by_name", [True, False])
def test_compression(run, serve, mode, by_name):
    number, offer = MODES[mode]
    text = b"the same text again and again " * 30

    def handle(conn):
        frames = []
        for i in range(3):
            f = conn.frame()
            frames.append((f.rsv, len(f.data)))
            data = f.data
            if f.rsv:
                if number == 2:
                    conn.inflate = zlib.decompressobj(-15)
                data = conn.inflate.decompress(data + b"\0\0\xff\xff")
            conn.send(FIN | RSV1 | TEXT, conn.compressed(data, forget=number == 2))
        # In pieces, with a ping between, and one that is not compressed.
        data = conn.compressed(text, forget=number == 2)
        conn.send(RSV1 | TEXT, data[:5])
        conn.send(FIN | PING, b"")
        conn.send(FIN, data[5:])
        conn.text("plain")
        return frames
    s = serve(handle, Sec_WebSocket_Extensions=offer)
    r = run(CONNECT + """
      local ch = c:channel()
      local text = string.rep("the same text again and again ", 30)
      for _, data in ipairs({ text, text, "short" }) do
        c:send(data)
        assert(ch:receive().data == data)
      end
      assert(ch:receive().data == text)
      assert(ch:receive().data == "plain")
      say("good")
    """, s.url, json.dumps({"compression": mode if by_name else number}))
    assert r.only == "good"
    assert s.conns[0].field("sec-websocket-extensions") == offer
    (rsv1, first), (rsv2, second), (rsv3, third) = s.result()
    assert (rsv1, rsv2, rsv3) == (4, 4, 0) and third == 5 and first < 100
    assert second < first / 2 if number == 1 else second == first


def test_the_threshold(run, serve):
    s = serve(lambda c: [c.frame().rsv for _ in range(4)], Sec_WebSocket_Extensions="permessage-deflate")
    run(CONNECT + "for _, n in ipairs({ 9, 10, 11, 0 }) do c:send(string.rep('a', n)) end say('x')", s.url,
        '{"compression": 1, "compression_threshold": 10}')
    assert s.result() == [0, 4, 4, 0]


def test_a_server_that_wants_no_compression(run, serve):
    s = serve()
    assert run(CONNECT + "c:send(string.rep('a', 1000)) say({ #c:channel():receive().data })", s.url, '{"compression": 1}').only == [1000]


# -- TLS -------------------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


def test_tls(run, serve, certificates):
    good, named, expired = (serve(context=certificates.context(n)) for n in ("server", "named", "expired"))
    env = {"SSL_CERT_FILE": str(certificates.dir / "ca.pem"), "SSL_CERT_DIR": "/nonexistent"}
    body = CONNECT + "c:send(string.rep('x', 100000)) say({ #c:channel():receive().data })"
    assert run(body, good.url, env=env).only == [100000]
    assert good.result() == struct.pack("!H", 1001)
    for s in (named, expired):
        got = run(body, s.url, env=env).only
        assert got["error"].startswith("failed to dial websocket: tls: failed to verify certificate: x509: "), got
        assert (got["kind"], got["retryable"]) == ("Internal", True)
    # The system's own store knows nothing of that authority.
    assert "x509" in run(body, good.url).only["error"]
    plain = serve()
    assert "error" in run(body, plain.url.replace("ws:", "wss:"), '{"dial_timeout": "500ms"}').only


# -- permissions -----------------------------------------------------------------------------------------------------------

def policy(name, actions, resources="*"):
    return {"name": name, "kind": "security.policy", "groups": ["some"],
            "policy": {"actions": actions, "resources": resources, "effect": "allow"}}


AS_SOMEBODY = """
  local url = ...
  local security = require("security")
  local value, err = funcs.new():with_actor(security.new_actor("somebody")):with_scope(security.named_scope("app:some")):call("app:try", url)
  say(err and told(err) or value)
"""
TRY = """
local function main(url)
  local c, err = websocket.connect(url)
  return err and told(err) or { connected = true }
end
"""


@pytest.mark.parametrize("allowed", ["nothing", "connecting", "that URL", "another URL"])
def test_permissions(lua, serve, allowed):
    s = serve()
    entries = {"nothing": [policy("p", "funcs.call")], "connecting": [policy("p", ["funcs.*", "websocket.connect"])],
               "that URL": [policy("p", ["funcs.*", "websocket.connect"]), policy("q", "websocket.connect.url", s.url + "/*")],
               "another URL": [policy("p", ["funcs.*", "websocket.connect"]), policy("q", "websocket.connect.url", "ws://other/*")]}[allowed]
    main = lua.entry("go2", f"{USE} local function main(...)\n{AS_SOMEBODY}\nend", meta={"command": {"name": "go2"}},
                     modules=["io", "json", "http_client", "funcs", "time", "websocket", "security"])
    folder = lua.write("local function main() end", entries=[*entries, main], functions={"try": USE + TRY})
    r = lua.wippy.run(folder, "run", "go2", "--", s.url.replace("ws://", "ws://user:secretword@") + "/x" if allowed == "nothing" else s.url + "/x")
    got = json.loads(next(line for line in r.stdout.splitlines() if line.startswith("{")))
    if allowed == "that URL":
        assert got == {"connected": True}, r
    else:
        words = "websocket connections not allowed" if allowed == "nothing" else f"not allowed: {s.url}/x"
        assert got["error"] == words and got["kind"] == "PermissionDenied" and not got["retryable"], r
        assert s.conns == []
    assert "secretword" not in r.stdout + r.stderr


def test_a_redirect_needs_the_permission_too(lua, serve):
    inside = serve()
    s = serve(lambda c: c.send_bytes(f"HTTP/1.1 302 Found\r\nLocation: {inside.url}/inside\r\n\r\n".encode()), accept=False)
    main = lua.entry("go2", f"{USE} local function main(...)\n{AS_SOMEBODY}\nend", meta={"command": {"name": "go2"}},
                     modules=["io", "json", "http_client", "funcs", "time", "websocket", "security"])
    folder = lua.write("local function main() end", functions={"try": USE + TRY}, entries=[
        main, policy("p", ["funcs.*", "websocket.connect"]), policy("q", "websocket.connect.url", s.url + "/*")])
    r = lua.wippy.run(folder, "run", "go2", "--", s.url + "/x")
    got = json.loads(next(line for line in r.stdout.splitlines() if line.startswith("{")))
    assert got["error"] == f"not allowed: {inside.url}/inside" and got["kind"] == "PermissionDenied", r
    assert len(s.conns) == 1 and inside.conns == []


# -- overlays --------------------------------------------------------------------------------------------------------------

ECHO_ONE = """
local function main(url)
  local c, err = websocket.connect(url, { dial_timeout = "5s" })
  if err then return told(err) end
  c:send("hello")
  return { data = c:channel():receive().data }
end
"""
EDGES = """
  local url, how = ...
  local options, value, err = { network = "app:proxy" }
  if how == "call" then
    value, err = funcs.new():with_options(options):call("app:echo_f", url)
  elseif how == "inherited" then
    value, err = funcs.new():with_options(options):call("app:outer_f", url)
  elseif how == "spawn" then
    local s = process.with_options(options)
    local events = process.events()
    s:spawn_monitored("app:echo_p", "app:processes", url)
    value = events:receive().result.value
  else
    value, err = funcs.call("app:echo_f", url)
  end
  say(err and told(err) or value)
"""
OUTER = "local function main(url) local v, err = funcs.call('app:echo_f', url) if err then error(err) end return v end"


def edge(run, url, how, entries, **kw):
    config = {"network_service": {"default_network": "app:proxy"}} if how == "default" else None
    return run(EDGES, url, how, overlays=entries, functions={"echo_f": ECHO_ONE, "outer_f": OUTER}, processes={"echo_p": ECHO_ONE}, config=config, **kw).only


@pytest.mark.parametrize("how", ["call", "inherited", "spawn", "default"])
def test_the_name_travels_to_the_proxy_unresolved(run, serve, overlay, start_rig, tmp_path, how):
    s = serve()
    log = tmp_path / "proxy.jsonl"
    proxy = start_rig("socks_count.py", "--host", f"chat.test=127.0.0.1:{s.port}", log=str(log))
    assert edge(run, "ws://chat.test/", how, [overlay("proxy", proxy.port)]) == {"data": "hello"}
    seen = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(x["atyp"], x["host"], x["port"]) for x in seen] == [("name", "chat.test", 80)]
    assert s.conns[0].field("host") == "chat.test"


@pytest.mark.parametrize("which", ["dante", "microsocks"])
def test_real_proxies(run, serve, overlay, request, which):
    proxy = request.getfixturevalue(which)
    s = serve()
    assert edge(run, f"ws://127.0.0.1:{s.port}/", "call", [overlay("proxy", proxy.port)]) == {"data": "hello"}


@pytest.mark.parametrize("how", ["call", "inherited", "spawn", "default"])
def test_a_dead_proxy_is_the_end_of_it(run, serve, overlay, nobody, how):
    s = serve()
    got = edge(run, s.url, how, [overlay("proxy", nobody)])
    assert got["error"].startswith("failed to dial websocket: socks connect tcp ") and "connection refused" in got["error"], got
    assert (got["kind"], got["retryable"]) == ("Internal", True)
    assert s.conns == []


def test_an_unknown_overlay(run, serve):
    s = serve()
    r = run("""local v, err = funcs.new():with_options({ network = "app:gone" }):call("app:echo_f", ...) say(err and told(err) or v)""", s.url,
            functions={"echo_f": ECHO_ONE})
    assert "network: service not found" in r.only["error"]
    assert s.conns == []


def test_a_proxy_is_not_taken_from_the_environment(run, serve, nobody):
    s = serve()
    env = {n: f"http://127.0.0.1:{nobody}" for n in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "WS_PROXY")}
    assert run(CONNECT + "c:send('x') say(c:channel():receive().data)", s.url, env=env).only == "x"


@pytest.mark.parametrize("isolated", [True, False])
def test_each_dial_has_an_identity_of_its_own_when_asked(run, serve, overlay, counting_proxy, isolated):
    s = serve()
    entry = overlay("proxy", counting_proxy.port, isolate_streams=isolated, username="me", password="word")
    if isolated:
        del entry["username"], entry["password"]
    with counting_proxy.recording() as seen:
        run("local url = ... for i = 1, 3 do say(funcs.new():with_options({ network = 'app:proxy' }):call('app:echo_f', url)) end", s.url,
            overlays=[entry], functions={"echo_f": ECHO_ONE})
    names = {x["username"] for x in seen}
    assert len(seen) == 3 and (len(names) == 3 if isolated else names == {"me"}), seen


def test_actors_under_isolation_of_processes_share_no_identity(run, serve, overlay, counting_proxy):
    s = serve()
    with counting_proxy.recording() as seen:
        r = run("""
          local url = ...
          local events = process.events()
          for i = 1, 2 do process.with_options({ network = "app:proxy" }):spawn_monitored("app:twice", "app:processes", url) end
          for i = 1, 2 do say(events:receive().result.value) end
        """, s.url, overlays=[overlay("proxy", counting_proxy.port, isolation="process")], processes={"twice": """
          local function main(url)
            local a, b = websocket.connect(url), websocket.connect(url)
            a:send("x") b:send("y")
            return { a:channel():receive().data .. b:channel():receive().data }
          end"""})
    assert r.values == [["xy"], ["xy"]]
    # Both connections of an actor come under its identity, and no other's.
    assert sorted(sum(y["username"] == x for y in seen) for x in {y["username"] for y in seen}) == [2, 2], seen


def test_nothing_but_the_proxy_is_sent_to(run, overlay, watched_network, start_rig, tmp_path):
    net = watched_network()
    echo = start_rig("websocket_echo.py", inside=net.far)
    proxy = start_rig("socks_count.py", "--bind", net.far_ip, "--host", f"chat.test=127.0.0.1:{echo.port}", "--host",
                      f"hidden.onion=127.0.0.1:{echo.port}", log=str(tmp_path / "proxy.jsonl"), inside=net.far)
    r = run("""
      for _, host in ipairs({ "chat.test", "hidden.onion", "unknown.test", "0x0a.0.0.1", "192.0.2.1" }) do
        local value, err = funcs.new():with_options({ network = "app:proxy" }):call("app:echo_f", "ws://" .. host .. "/")
        say(value.data or value.code)
      end
    """, overlays=[overlay("proxy", proxy.port, host=net.far_ip)], functions={"echo_f": ECHO_ONE}, netns=net.near)
    assert r.values[:2] == ["hello", "hello"] and all(v.startswith("socks_") for v in r.values[2:]), r
    near, far = re.escape(net.near_ip) + r"\.\d+", re.escape(f"{net.far_ip}.{proxy.port}")
    packets = net.packets()
    assert packets and [p for p in packets if not re.match(rf"link0 +(Out IP {near} > {far}|In +IP {far} > {near}): tcp", p)] == []
    assert net.questions() == []


# -- many ------------------------------------------------------------------------------------------------------------------

def test_a_thousand_at_once(run, serve, slower):
    s = serve()
    count = 1000 if slower == 1 else 100
    r = run("""
      local url, count = ...
      local done, keep = channel.new(16), {}
      for i = 1, tonumber(count) do
        coroutine.spawn(function()
          local c, err = websocket.connect(url)
          if err then done:send(tostring(err)) return end
          keep[i] = c
          c:send("message " .. i)
          local m = c:channel():receive()
          done:send(m and m.data == "message " .. i and "good" or "wrong")
        end)
      end
      local sum = {}
      for i = 1, tonumber(count) do
        local word = done:receive()
        sum[word] = (sum[word] or 0) + 1
      end
      say(sum)
    """, s.url, count, timeout=60)
    assert r.only == {"good": count}
    # All were open together, and each heard the end.
    for i in range(count):
        assert s.result(i) == struct.pack("!H", 1001)
