"""The websocket module, which is a client, against everything a server may and may not send: websocket_cases.py, and compression (RFC 7692).

The program says every message back.
"""
import zlib

import pytest

from websocket_cases import BAD, BAD_TEXT, BYE, CONT, TOO_BIG, Frames, conformance_cases, play, what_is_wrong
from websocket_peer import BINARY, FIN, PING, PONG, RSV1, TEXT, Gone, Server

RSV2 = 0x20
LIMIT = 1 << 20
SERVER = Frames()
frame, text, END = SERVER.frame, SERVER.text, SERVER.end

ECHO = """
local websocket = require("websocket")
local function main(url, count, options)
  for i = 1, tonumber(count) do
    local c, err = websocket.connect(url .. "/" .. i, json.decode(options))
    if err then error(err) end
    local ch = c:channel()
    while true do
      local m, open = ch:receive()
      if not open then break end
      c:send(m.data, m.type == "binary" and websocket.BINARY or websocket.TEXT)
    end
    c:close()
  end
  say("done")
end
"""


def packed(data, final=False, level=6):
    z = zlib.compressobj(level, zlib.DEFLATED, -15)
    return z.compress(data) + z.flush(zlib.Z_FINISH) + b"\0" if final else (z.compress(data) + z.flush(zlib.Z_SYNC_FLUSH))[:-4]


# 12, 13: compression; the limit counts what comes out
JSON = b'{"a": 1, "b": [true, false, null]}' * 100
PACKED = {
    "12 compressed": (frame(FIN | RSV1 | TEXT, packed(JSON)) + END, [(TEXT, JSON), BYE]),
    "12 stored": (frame(FIN | RSV1 | TEXT, packed(JSON, level=0)) + END, [(TEXT, JSON), BYE]),
    "12 in pieces": (frame(RSV1 | BINARY, packed(JSON)[:3]) + frame(FIN | PING) + frame(FIN | CONT, packed(JSON)[3:]) + END, [(PONG, b""), (BINARY, JSON), BYE]),
    "12 empty": (frame(FIN | RSV1 | TEXT, b"\0") + END, [(TEXT, b""), BYE]),
    "12 a final block": (frame(FIN | RSV1 | TEXT, packed(JSON, final=True)) + frame(FIN | RSV1 | TEXT, packed(b"after")) + END, [(TEXT, JSON), (TEXT, b"after"), BYE]),
    "12 one that is not compressed": (text("plain") + frame(FIN | RSV1 | TEXT, packed(b"packed")) + END, [(TEXT, b"plain"), (TEXT, b"packed"), BYE]),
    "12 RSV1 in a continuation": (frame(RSV1 | TEXT, packed(JSON)[:3]) + frame(FIN | RSV1 | CONT, packed(JSON)[3:]), [BAD]),
    "12 RSV1 in a ping": (frame(FIN | RSV1 | PING), [BAD]),
    "12 RSV2": (frame(FIN | RSV1 | RSV2 | TEXT, packed(JSON)), [BAD]),
    "12 garbage": (frame(FIN | RSV1 | TEXT, b"\xff" * 10), [BAD_TEXT]),
    "12 invalid UTF-8 inside": (frame(FIN | RSV1 | TEXT, packed(b"\xff\xfe")), [BAD_TEXT]),
    "12 as much as is allowed": (frame(FIN | RSV1 | BINARY, packed(b"\0" * LIMIT)) + END, [(BINARY, b"\0" * LIMIT), BYE]),
    "12 a byte more": (frame(FIN | RSV1 | BINARY, packed(b"\0" * (LIMIT + 1))), [TOO_BIG]),
    "12 a bomb": (frame(FIN | RSV1 | BINARY, packed(b"\0" * 100_000_000)), [TOO_BIG]),
}


def read(conn, came):
    return came.opcode, conn.inflate.decompress(came.data + b"\0\0\xff\xff") if came.rsv else came.data


@pytest.mark.parametrize("cut", ["whole", "in pieces"])
@pytest.mark.parametrize("group", ["plain", "compressed"])
def test_conformance(lua, group, cut):
    cases = conformance_cases(SERVER, LIMIT) if group == "plain" else PACKED
    script = list(cases.values())
    got = {}

    def handle(conn):
        i = int(conn.request.split()[1][1:]) - 1
        sent, want = script[i]
        try:
            got[i] = play(conn, SERVER, sent, want, cut == "whole", read)
        except Gone as e:
            got[i] = e
    fields = {"Sec_WebSocket_Extensions": "permessage-deflate"} if group == "compressed" else {}
    server = Server(handle, **fields)
    try:
        options = '{"read_limit": %d, "compression": %d}' % (LIMIT, group == "compressed")
        r = lua(ECHO, server.url, len(cases), options, timeout=120)
    finally:
        server.stop()
    assert r.only == "done"
    server.result(len(cases) - 1)
    wrong = what_is_wrong(SERVER, cases, [got[i] for i in range(len(cases))])
    assert not wrong, wrong
