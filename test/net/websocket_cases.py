"""What a WebSocket peer that says everything back must answer (RFC 6455): framing, pings, reserved bits, opcodes, fragmentation, UTF-8, closing, limits.

Each case is what it is sent (whole, or cut into pieces) and which frames must come back, after which the connection ends. The categories are those of the Autobahn
test suite. A client's frames are masked, a server's are not: Frames(mask).
"""
import struct

from websocket_peer import BINARY, CLOSE, FIN, PING, PONG, TEXT, Gone, frame

CONT = 0
BYE = (CLOSE, 1000)
BAD, BAD_TEXT, TOO_BIG = (CLOSE, 1002), (CLOSE, 1007), (CLOSE, 1009)


class Frames:
    """The frames of one side, as bytes."""

    def __init__(self, mask=None):
        self.mask = mask
        self.end = self.close(1000)

    def frame(self, head, data=b""):
        return frame(head, data, self.mask)

    def text(self, s):
        return self.frame(FIN | TEXT, s.encode() if isinstance(s, str) else s)

    def close(self, code=None, reason=b""):
        return self.frame(FIN | CLOSE, b"" if code is None else struct.pack("!H", code) + reason)

    def pieces(self, opcode, data, size):
        cut = [data[i:i + size] for i in range(0, len(data), size)]
        return b"".join(self.frame((FIN if i == len(cut) - 1 else 0) | (opcode if i == 0 else CONT), c) for i, c in enumerate(cut))

    def raw(self, head, size, longer_size, data):
        """A frame with a length of its own."""
        return bytes([head, size | (0x80 if self.mask else 0)]) + longer_size + (self.mask or b"") + data


def conformance_cases(f, limit):
    """name: (bytes to send, frames to come); `limit` is how long a message may be."""
    cases = {}

    # 1: framing
    for n in (0, 125, 126, 127, 128, 65535, 65536):
        cases[f"1.1 text of {n}"] = (f.text("*" * n) + f.end, [(TEXT, b"*" * n), BYE])
        cases[f"1.2 binary of {n}"] = (f.frame(FIN | BINARY, b"\xfe" * n) + f.end, [(BINARY, b"\xfe" * n), BYE])

    # 2: pings and pongs
    cases["2.1 empty ping"] = (f.frame(FIN | PING) + f.end, [(PONG, b""), BYE])
    cases["2.2 ping with text"] = (f.frame(FIN | PING, b"Hello") + f.end, [(PONG, b"Hello"), BYE])
    cases["2.3 ping with bytes"] = (f.frame(FIN | PING, b"\x00\xff\xfe") + f.end, [(PONG, b"\x00\xff\xfe"), BYE])
    cases["2.4 ping of 125"] = (f.frame(FIN | PING, b"\xfe" * 125) + f.end, [(PONG, b"\xfe" * 125), BYE])
    cases["2.5 ping of 126"] = (f.frame(FIN | PING, b"\xfe" * 126), [BAD])
    cases["2.7 pong unasked"] = (f.frame(FIN | PONG) + f.end, [BYE])
    cases["2.9 pong, then ping"] = (f.frame(FIN | PONG, b"a") + f.frame(FIN | PING, b"b") + f.end, [(PONG, b"b"), BYE])
    cases["2.10 ten pings"] = (b"".join(f.frame(FIN | PING, b"payload %d" % i) for i in range(10)) + f.end, [*[(PONG, b"payload %d" % i) for i in range(10)], BYE])

    # 3: reserved bits
    for bits in range(1, 8):
        cases[f"3.{bits} RSV {bits} in a message"] = (f.text("a") + f.frame(FIN | bits << 4 | TEXT, b"b") + f.frame(FIN | PING), [(TEXT, b"a"), BAD])
        cases[f"3.{bits} RSV {bits} in a ping"] = (f.frame(FIN | bits << 4 | PING, b"b"), [BAD])

    # 4: opcodes
    for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
        cases[f"4.{opcode} reserved opcode"] = (f.frame(FIN | opcode), [BAD])
        cases[f"4.{opcode} reserved opcode after a message"] = (f.text("a") + f.frame(FIN | opcode, b"x") + f.frame(FIN | PING), [(TEXT, b"a"), BAD])

    # 5: fragmentation
    cases["5.1 ping in pieces"] = (f.frame(PING, b"a") + f.frame(FIN | CONT, b"b"), [BAD])
    cases["5.2 pong in pieces"] = (f.frame(PONG, b"a") + f.frame(FIN | CONT, b"b"), [BAD])
    cases["5.3 two pieces"] = (f.frame(TEXT, b"a") + f.frame(FIN | CONT, b"b") + f.end, [(TEXT, b"ab"), BYE])
    cases["5.6 a ping between"] = (f.frame(TEXT, b"a") + f.frame(FIN | PING, b"p") + f.frame(FIN | CONT, b"b") + f.end, [(PONG, b"p"), (TEXT, b"ab"), BYE])
    cases["5.9 continuation of nothing"] = (f.frame(FIN | CONT, b"a") + f.text("b"), [BAD])
    cases["5.12 continuation of nothing, not last"] = (f.frame(CONT, b"a") + f.text("b"), [BAD])
    cases["5.15 continuation after the end"] = (f.pieces(TEXT, b"ab", 1) + f.frame(CONT, b"c"), [(TEXT, b"ab"), BAD])
    cases["5.18 message in a message"] = (f.frame(TEXT, b"a") + f.text("b"), [BAD])
    cases["5.19 five pieces, two pings"] = (
        f.frame(TEXT, b"1") + f.frame(CONT, b"2") + f.frame(FIN | PING, b"p1") + f.frame(CONT, b"3") + f.frame(CONT, b"4") + f.frame(FIN | PING, b"p2") +
        f.frame(FIN | CONT, b"5") + f.end, [(PONG, b"p1"), (PONG, b"p2"), (TEXT, b"12345"), BYE])

    # 6: UTF-8
    KOSME = "κόσμε \U0001F600 \u20ac".encode()
    cases["6.1 empty pieces"] = (f.frame(TEXT) + f.frame(CONT) + f.frame(FIN | CONT) + f.end, [(TEXT, b""), BYE])
    cases["6.2 characters"] = (f.text(KOSME) + f.end, [(TEXT, KOSME), BYE])
    cases["6.2 characters cut at every byte"] = (f.pieces(TEXT, KOSME, 1) + f.end, [(TEXT, KOSME), BYE])
    for name, good in {"U+0000": b"\0", "U+007F": b"\x7f", "U+0080": b"\xc2\x80", "U+07FF": b"\xdf\xbf", "U+0800": b"\xe0\xa0\x80", "U+D7FF": b"\xed\x9f\xbf",
                       "U+E000": b"\xee\x80\x80", "U+FFFE": b"\xef\xbf\xbe", "U+FFFF": b"\xef\xbf\xbf", "U+10000": b"\xf0\x90\x80\x80",
                       "U+10FFFF": b"\xf4\x8f\xbf\xbf"}.items():
        cases[f"6 {name}"] = (f.text(good) + f.end, [(TEXT, good), BYE])
    for name, bad in {"a stray byte": b"\x80", "two": b"a\xbf\xbf", "no continuation": b"\xc3", "cut": b"\xe2\x82", "overlong slash": b"\xc0\xaf",
                      "overlong of three": b"\xe0\x80\xaf", "overlong of four": b"\xf0\x80\x80\xaf", "overlong U+0000": b"\xc0\x80", "beyond": b"\xf4\x90\x80\x80",
                      "five bytes": b"\xf8\x88\x80\x80\x80", "six bytes": b"\xfc\x84\x80\x80\x80\x80", "a surrogate": b"\xed\xa0\x80", "a pair": b"\xed\xa0\x80\xed\xb0\x80",
                      "FE": b"\xfe", "FF": b"\xff"}.items():
        cases[f"6 invalid: {name}"] = (f.text(b"before" + bad) + f.frame(FIN | PING), [BAD_TEXT])
    cases["6 invalid in pieces"] = (f.frame(TEXT, b"a\xce") + f.frame(FIN | CONT, b"b"), [BAD_TEXT])

    # 7: closing
    cases["7.1 nothing after a close counts"] = (f.text("a") + f.close(1000) + f.text("b") + f.frame(FIN | PING), [(TEXT, b"a"), BYE])
    cases["7.1 close in a message"] = (f.frame(TEXT, b"a") + f.close(1000) + f.frame(FIN | CONT, b"b"), [BYE])
    cases["7.3 empty close"] = (f.close(), [(CLOSE, None)])
    cases["7.3 close of a byte"] = (f.frame(FIN | CLOSE, b"a"), [BAD])
    cases["7.3 with a reason"] = (f.close(1000, b"Hello"), [BYE])
    cases["7.3 with the longest reason"] = (f.close(1000, b"*" * 123), [BYE])
    cases["7.3 a byte more"] = (f.close(1000, b"*" * 124), [BAD])
    cases["7.5 a reason that is no UTF-8"] = (f.close(1000, b"\xed\xa0\x80"), [BAD_TEXT])
    for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999):
        cases[f"7.7 code {code}"] = (f.close(code), [(CLOSE, code)])
    for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535):
        cases[f"7.9 code {code}"] = (f.close(code), [BAD])

    # 9: limits
    cases["9 as much as is allowed"] = (f.frame(FIN | BINARY, b"*" * limit) + f.end, [(BINARY, b"*" * limit), BYE])
    cases["9 as much in pieces"] = (f.pieces(BINARY, b"*" * limit, 65536) + f.end, [(BINARY, b"*" * limit), BYE])
    cases["9 a byte more"] = (f.frame(FIN | BINARY, b"*" * (limit + 1)), [TOO_BIG])
    cases["9 a byte more in pieces"] = (f.pieces(BINARY, b"*" * (limit + 1), 65536), [TOO_BIG])
    cases["9 a huge length"] = (f.raw(FIN | BINARY, 127, b"\x7f" + b"\xff" * 7, b"x" * 100), [TOO_BIG])

    # 10: what no frame looks like
    cases["10 a mask from a server, none from a client"] = (Frames(None if f.mask else b"abcd").text("a"), [BAD])
    cases["10 a length longer than needed"] = (f.raw(FIN | TEXT, 126, b"\0\1", b"a"), [BAD])
    cases["10 a length of 64 bits"] = (f.raw(FIN | BINARY, 127, b"\x80" + b"\0" * 7, b"x"), [BAD])
    return cases


def send(conn, data, whole):
    # Byte by byte what is short; what is long in pieces of an odd size.
    size = max(len(data), 1) if whole else 1 if len(data) < 1000 else 7777
    for i in range(0, len(data), size):
        try:
            conn.send_bytes(data[i:i + size])
        except Gone:
            return  # told to go, and left: the answer is there


def play(conn, f, sent, want, whole, read=lambda conn, got: (got.opcode, got.data)):
    """The frames that came, as `read` has them, up to the close. An orderly end waits until the peer has said everything back."""
    orderly = sent.endswith(f.end) and len(want) > 1
    got = []
    send(conn, sent[:-len(f.end)] if orderly else sent, whole)
    while True:
        if orderly and len(got) == len(want) - 1:
            send(conn, f.end, whole)
            orderly = False
        came = conn.frame()
        if came.opcode == CLOSE:
            return [*got, (CLOSE, came.code)]
        got.append(read(conn, came))


def is_as_wanted(f, sent, want, have):
    if isinstance(have, Gone) or have[-1] != want[-1]:
        return False
    # Pongs may overtake what the peer says back; where the end comes at once, it may come before that.
    if sent.endswith(f.end):
        return sorted(map(repr, have)) == sorted(map(repr, want))
    return all(h in want for h in have)


def what_is_wrong(f, cases, got):
    """got: what came, case by case."""
    return {name: (repr(want)[:200], repr(have)[:200]) for (name, (sent, want)), have in zip(cases.items(), got, strict=True)
            if not is_as_wanted(f, sent, want, have)}
