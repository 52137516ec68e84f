"""A WebSocket client and a reader of event streams that tidy nothing up: frames and lines as they come."""
import base64
import json
import os
import struct
import urllib.parse

from web import Answer, Stream

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def target(path, header=None, **query):
    if header is not None:
        query["header"] = header if isinstance(header, str) else json.dumps(header)
    return path + "?" + urllib.parse.urlencode(query)


class WebSocket(Stream):
    """WebSocket(web, "/connect?...", "Origin: ...") is open, or .answer says why not."""

    def __init__(self, web, path, *fields, receive_buffer=None):
        super().__init__(web.connect(receive_buffer))
        key = base64.b64encode(os.urandom(16)).decode()
        head = [f"GET {path} HTTP/1.1", "Host: web.test", "Upgrade: websocket", "Connection: keep-alive, Upgrade",
                "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}", *fields]
        self.sock.sendall("\r\n".join(head).encode("latin-1") + b"\r\n\r\n")
        self.answer = Answer(self.until(b"\r\n\r\n") + b"\r\n\r\n", "HEAD")

    def frame(self):
        first, second = self.exactly(2)
        assert first & 0x70 == 0 and second & 0x80 == 0, (first, second)
        n = second & 0x7f
        if n == 126:
            n, = struct.unpack(">H", self.exactly(2))
        elif n == 127:
            n, = struct.unpack(">Q", self.exactly(8))
        return first & 0xf, self.exactly(n)

    def get(self):
        """The next message, which is JSON in one text frame."""
        opcode, data = self.frame()
        assert opcode == TEXT, (opcode, data)
        return json.loads(data)

    def put(self, data, opcode=None, fin=True):
        if opcode is None:
            opcode = TEXT if isinstance(data, str) else BINARY
        data = data.encode() if isinstance(data, str) else data
        # Masking byte by byte is slow: much data goes with a mask that changes nothing.
        n, mask = len(data), os.urandom(4) if len(data) < 1000 else bytes(4)
        head = bytes([opcode | (0x80 if fin else 0)])
        head += bytes([0x80 | n]) if n < 126 else b"\xfe" + struct.pack(">H", n) if n < 65536 else b"\xff" + struct.pack(">Q", n)
        self.sock.sendall(head + mask + (bytes(b ^ mask[i % 4] for i, b in enumerate(data)) if any(mask) else data))

    def do(self, what, **more):
        self.put(json.dumps({"do": what, **more}, separators=(",", ":")))

    def closing(self):
        """(code, reason) of the close frame that comes next; the answer is sent, and the connection must end."""
        opcode, data = self.frame()
        assert opcode == CLOSE, (opcode, data[:300])
        self.put(data, CLOSE)
        while self.more():
            pass
        assert self.data == b"", self.data
        return (struct.unpack(">H", data[:2])[0] if data else None, data[2:].decode())


class Events(Stream):
    """Events(web, "/connect?...") is a stream, or .answer with its .body says why not."""

    def __init__(self, web, path, *fields, receive_buffer=None, method="GET"):
        super().__init__(web.connect(receive_buffer))
        head = [f"{method} {path} HTTP/1.1", "Host: web.test", "Accept: text/event-stream", *fields]
        self.sock.sendall("\r\n".join(head).encode("latin-1") + b"\r\n\r\n")
        head = self.until(b"\r\n\r\n")
        self.answer = Answer(head + b"\r\n\r\n", "HEAD")
        self.text = b""
        self.over = False
        if self.answer["Transfer-Encoding"] is None:
            self.body = self.exactly(int(self.answer["Content-Length"] or 0))

    def chunk(self):
        data = super().chunk()
        self.over = not data
        return data

    def get(self):
        """The next block: a dict of its fields, "" for a comment; None at the end."""
        while b"\n\n" not in self.text:
            self.text += self.chunk()
            if self.over:
                assert self.text == b"", self.text
                return None
        block, self.text = self.text.split(b"\n\n", 1)
        return dict(line.split(": ", 1) if line[0] != ":" else ("", line[2:]) for line in block.decode().split("\n"))

    def event(self):
        """(name, data) of the next event, pings passed over; None at the end."""
        while (block := self.get()) is not None:
            if "event" in block:
                return block["event"], json.loads(block["data"])
        return None
