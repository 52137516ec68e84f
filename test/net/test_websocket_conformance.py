"""The websocket module against everything a server may and may not send: framing, pings, reserved bits, opcodes, fragmentation, UTF-8, closing, limits, compression.

The program says every message back. Each case is what the server sends (whole, or cut into pieces) and which frames it must get, after which the connection ends. The
categories are those of the Autobahn test suite.
"""
import struct
import zlib

import pytest

from websocket_peer import BINARY, CLOSE, FIN, PING, PONG, RSV1, TEXT, Gone, Server, frame

RSV2, RSV3, CONT = 0x20, 0x10, 0
LIMIT = 1 << 20

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


def text(s):
    return frame(FIN | TEXT, s.encode() if isinstance(s, str) else s)


def close(code=None, reason=b""):
    return frame(FIN | CLOSE, b"" if code is None else struct.pack("!H", code) + reason)


def pieces(opcode, data, size):
    cut = [data[i:i + size] for i in range(0, len(data), size)]
    return b"".join(frame((FIN if i == len(cut) - 1 else 0) | (opcode if i == 0 else CONT), c) for i, c in enumerate(cut))


END = close(1000)
BYE = (CLOSE, 1000)
BAD, BAD_TEXT, TOO_BIG = (CLOSE, 1002), (CLOSE, 1007), (CLOSE, 1009)

CASES = {}

# 1: framing
for n in (0, 125, 126, 127, 128, 65535, 65536):
    CASES[f"1.1 text of {n}"] = (text("*" * n) + END, [(TEXT, b"*" * n), BYE])
    CASES[f"1.2 binary of {n}"] = (frame(FIN | BINARY, b"\xfe" * n) + END, [(BINARY, b"\xfe" * n), BYE])

# 2: pings and pongs
CASES["2.1 empty ping"] = (frame(FIN | PING) + END, [(PONG, b""), BYE])
CASES["2.2 ping with text"] = (frame(FIN | PING, b"Hello") + END, [(PONG, b"Hello"), BYE])
CASES["2.3 ping with bytes"] = (frame(FIN | PING, b"\x00\xff\xfe") + END, [(PONG, b"\x00\xff\xfe"), BYE])
CASES["2.4 ping of 125"] = (frame(FIN | PING, b"\xfe" * 125) + END, [(PONG, b"\xfe" * 125), BYE])
CASES["2.5 ping of 126"] = (frame(FIN | PING, b"\xfe" * 126), [BAD])
CASES["2.7 pong unasked"] = (frame(FIN | PONG) + END, [BYE])
CASES["2.9 pong, then ping"] = (frame(FIN | PONG, b"a") + frame(FIN | PING, b"b") + END, [(PONG, b"b"), BYE])
CASES["2.10 ten pings"] = (b"".join(frame(FIN | PING, b"payload %d" % i) for i in range(10)) + END, [*[(PONG, b"payload %d" % i) for i in range(10)], BYE])

# 3: reserved bits
for bits in range(1, 8):
    CASES[f"3.{bits} RSV {bits} in a message"] = (text("a") + frame(FIN | bits << 4 | TEXT, b"b") + frame(FIN | PING), [(TEXT, b"a"), BAD])
    CASES[f"3.{bits} RSV {bits} in a ping"] = (frame(FIN | bits << 4 | PING, b"b"), [BAD])

# 4: opcodes
for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
    CASES[f"4.{opcode} reserved opcode"] = (frame(FIN | opcode), [BAD])
    CASES[f"4.{opcode} reserved opcode after a message"] = (text("a") + frame(FIN | opcode, b"x") + frame(FIN | PING), [(TEXT, b"a"), BAD])

# 5: fragmentation
CASES["5.1 ping in pieces"] = (frame(PING, b"a") + frame(FIN | CONT, b"b"), [BAD])
CASES["5.2 pong in pieces"] = (frame(PONG, b"a") + frame(FIN | CONT, b"b"), [BAD])
CASES["5.3 two pieces"] = (frame(TEXT, b"a") + frame(FIN | CONT, b"b") + END, [(TEXT, b"ab"), BYE])
CASES["5.6 a ping between"] = (frame(TEXT, b"a") + frame(FIN | PING, b"p") + frame(FIN | CONT, b"b") + END, [(PONG, b"p"), (TEXT, b"ab"), BYE])
CASES["5.9 continuation of nothing"] = (frame(FIN | CONT, b"a") + text("b"), [BAD])
CASES["5.12 continuation of nothing, not last"] = (frame(CONT, b"a") + text("b"), [BAD])
CASES["5.15 continuation after the end"] = (pieces(TEXT, b"ab", 1) + frame(CONT, b"c"), [(TEXT, b"ab"), BAD])
CASES["5.18 message in a message"] = (frame(TEXT, b"a") + text("b"), [BAD])
CASES["5.19 five pieces, two pings"] = (
    frame(TEXT, b"1") + frame(CONT, b"2") + frame(FIN | PING, b"p1") + frame(CONT, b"3") + frame(CONT, b"4") + frame(FIN | PING, b"p2") +
    frame(FIN | CONT, b"5") + END, [(PONG, b"p1"), (PONG, b"p2"), (TEXT, b"12345"), BYE])

# 6: UTF-8
KOSME = "κόσμε \U0001F600 \u20ac".encode()
CASES["6.1 empty pieces"] = (frame(TEXT) + frame(CONT) + frame(FIN | CONT) + END, [(TEXT, b""), BYE])
CASES["6.2 characters"] = (text(KOSME) + END, [(TEXT, KOSME), BYE])
CASES["6.2 characters cut at every byte"] = (pieces(TEXT, KOSME, 1) + END, [(TEXT, KOSME), BYE])
for name, good in {"U+0000": b"\0", "U+007F": b"\x7f", "U+0080": b"\xc2\x80", "U+07FF": b"\xdf\xbf", "U+0800": b"\xe0\xa0\x80", "U+D7FF": b"\xed\x9f\xbf",
                   "U+E000": b"\xee\x80\x80", "U+FFFE": b"\xef\xbf\xbe", "U+FFFF": b"\xef\xbf\xbf", "U+10000": b"\xf0\x90\x80\x80",
                   "U+10FFFF": b"\xf4\x8f\xbf\xbf"}.items():
    CASES[f"6 {name}"] = (text(good) + END, [(TEXT, good), BYE])
for name, bad in {"a stray byte": b"\x80", "two": b"a\xbf\xbf", "no continuation": b"\xc3", "cut": b"\xe2\x82", "overlong slash": b"\xc0\xaf",
                  "overlong of three": b"\xe0\x80\xaf", "overlong of four": b"\xf0\x80\x80\xaf", "overlong U+0000": b"\xc0\x80", "beyond": b"\xf4\x90\x80\x80",
                  "five bytes": b"\xf8\x88\x80\x80\x80", "six bytes": b"\xfc\x84\x80\x80\x80\x80", "a surrogate": b"\xed\xa0\x80", "a pair": b"\xed\xa0\x80\xed\xb0\x80",
                  "FE": b"\xfe", "FF": b"\xff"}.items():
    CASES[f"6 invalid: {name}"] = (text(b"before" + bad) + frame(FIN | PING), [BAD_TEXT])
CASES["6 invalid in pieces"] = (frame(TEXT, b"a\xce") + frame(FIN | CONT, b"b"), [BAD_TEXT])

# 7: closing
CASES["7.1 nothing after a close counts"] = (text("a") + close(1000) + text("b") + frame(FIN | PING), [(TEXT, b"a"), BYE])
CASES["7.1 close in a message"] = (frame(TEXT, b"a") + close(1000) + frame(FIN | CONT, b"b"), [BYE])
CASES["7.3 empty close"] = (close(), [(CLOSE, None)])
CASES["7.3 close of a byte"] = (frame(FIN | CLOSE, b"a"), [BAD])
CASES["7.3 with a reason"] = (close(1000, b"Hello"), [BYE])
CASES["7.3 with the longest reason"] = (close(1000, b"*" * 123), [BYE])
CASES["7.3 a byte more"] = (close(1000, b"*" * 124), [BAD])
CASES["7.5 a reason that is no UTF-8"] = (close(1000, b"\xed\xa0\x80"), [BAD_TEXT])
for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999):
    CASES[f"7.7 code {code}"] = (close(code), [(CLOSE, code)])
for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535):
    CASES[f"7.9 code {code}"] = (close(code), [BAD])

# 9: limits
CASES["9 as much as is allowed"] = (frame(FIN | BINARY, b"*" * LIMIT) + END, [(BINARY, b"*" * LIMIT), BYE])
CASES["9 as much in pieces"] = (pieces(BINARY, b"*" * LIMIT, 65536) + END, [(BINARY, b"*" * LIMIT), BYE])
CASES["9 a byte more"] = (frame(FIN | BINARY, b"*" * (LIMIT + 1)), [TOO_BIG])
CASES["9 a byte more in pieces"] = (pieces(BINARY, b"*" * (LIMIT + 1), 65536), [TOO_BIG])
CASES["9 a huge length"] = (b"\x82\x7f\x7f" + b"\xff" * 7 + b"x" * 100, [TOO_BIG])

# 10: what no frame looks like
CASES["10 a mask from a server"] = (frame(FIN | TEXT, b"a", mask=b"abcd"), [BAD])
CASES["10 a length longer than needed"] = (b"\x81\x7e\x00\x01a", [BAD])
CASES["10 a length of 64 bits"] = (b"\x82\x7f\x80" + b"\0" * 7 + b"x", [BAD])


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


def send(conn, data, whole):
    # Byte by byte what is short; what is long in pieces of an odd size.
    size = max(len(data), 1) if whole else 1 if len(data) < 1000 else 7777
    for i in range(0, len(data), size):
        try:
            conn.send_bytes(data[i:i + size])
        except Gone:
            return  # told to go, and left: the answer is there


def play(conn, sent, want, whole):
    """The frames that came, up to the close. An orderly end waits until the program has said everything back."""
    orderly = sent.endswith(END) and len(want) > 1
    got = []
    send(conn, sent[:-len(END)] if orderly else sent, whole)
    while True:
        if orderly and len(got) == len(want) - 1:
            send(conn, END, whole)
            orderly = False
        f = conn.frame()
        if f.opcode == CLOSE:
            return [*got, (CLOSE, f.code)]
        got.append((f.opcode, conn.inflate.decompress(f.data + b"\0\0\xff\xff") if f.rsv else f.data))


def is_as_wanted(sent, want, have):
    if isinstance(have, Gone) or have[-1] != want[-1]:
        return False
    # Pongs may overtake what the program says back; where the end comes at once, it may come before that.
    if sent.endswith(END):
        return sorted(map(repr, have)) == sorted(map(repr, want))
    return all(h in want for h in have)


@pytest.mark.parametrize("cut", ["whole", "in pieces"])
@pytest.mark.parametrize("group", ["plain", "compressed"])
def test_conformance(lua, group, cut):
    cases = list((CASES if group == "plain" else PACKED).items())
    got = {}

    def handle(conn):
        i = int(conn.request.split()[1][1:]) - 1
        sent, want = cases[i][1]
        try:
            got[i] = play(conn, sent, want, cut == "whole")
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
    wrong = {name: (repr(want)[:200], repr(got[i])[:200]) for i, (name, (sent, want)) in enumerate(cases) if not is_as_wanted(sent, want, got[i])}
    assert not wrong, wrong
