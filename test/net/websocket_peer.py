"""A WebSocket server for tests that knows frames as bytes (RFC 6455, RFC 7692), so that it can also say what no library would say.

    with Server(handle) as s: ...      handle(conn) plays one connection after the handshake; s.url, s.port, s.conns

conn.request is the head as text, conn.fields its fields by lower-case name; conn.accept(**fields) answers it, which happens before `handle` unless accept=False.
"""
import base64
import hashlib
import socket
import ssl
import struct
import threading
import zlib

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
FIN, RSV1 = 0x80, 0x40


def accept_key(key):
    return base64.b64encode(hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()


def unmask(data, mask):
    """Or mask it."""
    n = len(data)
    key = (mask * (n // 4 + 1))[:n]
    return (int.from_bytes(data, "big") ^ int.from_bytes(key, "big")).to_bytes(n, "big") if n else b""


def frame(head, data=b"", mask=None):
    """One frame as bytes; `head` is FIN, RSV and opcode."""
    n = len(data)
    bit = 0x80 if mask else 0
    size = bytes([bit | n]) if n < 126 else bytes([bit | 126]) + struct.pack("!H", n) if n < 65536 else bytes([bit | 127]) + struct.pack("!Q", n)
    if mask:
        data = mask + unmask(data, mask)
    return bytes([head]) + size + data


class Frame:
    def __init__(self, head, data, mask):
        self.fin, self.rsv, self.opcode, self.data, self.mask = bool(head & FIN), head >> 4 & 7, head & 15, data, mask

    @property
    def code(self):
        return struct.unpack("!H", self.data[:2])[0] if len(self.data) >= 2 else None

    def __repr__(self):
        return f"Frame({self.opcode}, fin={self.fin}, rsv={self.rsv}, {self.data[:60]!r})"


class Gone(Exception):
    """The other side ended the connection."""


class Conn:
    def __init__(self, s):
        self.s = s
        self.buffer = b""
        self.request, self.fields = "", {}
        self.inflate = zlib.decompressobj(-15)
        self.deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
        self.masks = []

    def read(self, n):
        parts, have = [self.buffer], len(self.buffer)
        while have < n:
            try:
                more = self.s.recv(max(65536, n - have))
            except OSError as e:
                raise Gone from e
            if not more:
                raise Gone
            parts.append(more)
            have += len(more)
        data = b"".join(parts)
        self.buffer = data[n:]
        return data[:n]

    def read_head(self):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.read(1)
        self.request = head.decode("latin-1")
        for line in self.request.split("\r\n")[1:-2]:
            name, _, value = line.partition(":")
            self.fields.setdefault(name.lower(), []).append(value.strip())

    def field(self, name):
        return (self.fields.get(name.lower()) or [None])[0]

    def accept(self, **fields):
        lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
                 f"Sec-WebSocket-Accept: {accept_key(self.field('Sec-WebSocket-Key'))}",
                 *[f"{k.replace('_', '-')}: {v}" for k, v in fields.items()]]
        self.send_bytes("\r\n".join([*lines, "", ""]).encode())

    def send_bytes(self, data):
        try:
            self.s.sendall(data)
        except OSError as e:
            raise Gone from e

    def send(self, head, data=b""):
        self.send_bytes(frame(head, data))

    def text(self, data):
        self.send(FIN | TEXT, data.encode() if isinstance(data, str) else data)

    def compressed(self, data, forget=False):
        """The payload of a compressed message."""
        if forget:
            self.deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
        return (self.deflate.compress(data) + self.deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]

    def close(self, code=1000, reason=b""):
        self.send(FIN | CLOSE, struct.pack("!H", code) + reason)

    def frame(self):
        head, n = self.read(2)
        masked, n = n >> 7, n & 0x7F
        if n == 126:
            n = struct.unpack("!H", self.read(2))[0]
        elif n == 127:
            n = struct.unpack("!Q", self.read(8))[0]
        mask = self.read(4) if masked else None
        self.masks.append(mask)
        data = self.read(n)
        return Frame(head, unmask(data, mask) if mask else data, mask)

    def message(self):
        """The next text or binary message, (opcode, data); pings are answered; at a close: (8, data)."""
        opcode, data, packed = 0, b"", False
        while True:
            f = self.frame()
            if f.opcode == PING:
                self.send(FIN | PONG, f.data)
            elif f.opcode == CLOSE:
                return CLOSE, f.data
            elif f.opcode != PONG:
                opcode, data = opcode or f.opcode, data + f.data
                packed = packed or bool(f.rsv & 4)
                if f.fin:
                    return opcode, self.inflate.decompress(data + b"\0\0\xff\xff") if packed else data

    def echo(self):
        """Say everything back until the other side closes, and answer that."""
        while True:
            opcode, data = self.message()
            self.send(FIN | opcode, data)
            if opcode == CLOSE:
                return data


class Server:
    def __init__(self, handle=Conn.echo, accept=True, context=None, host="127.0.0.1", **fields):
        self.handle, self.accepts, self.context, self.fields = handle, accept, context, fields
        self.listener = socket.create_server((host, 0), backlog=4096)
        self.port = self.listener.getsockname()[1]
        self.url = f"ws{'s' if context else ''}://{host}:{self.port}"
        self.conns, self.open, self.results = [], [], []
        self.news = threading.Condition()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            self.open.append(s)
            threading.Thread(target=self.serve, args=(s,), daemon=True).start()

    def serve(self, s):
        result = None
        try:
            s.settimeout(60)
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.context:
                s = self.context.wrap_socket(s, server_side=True)
            conn = Conn(s)
            conn.read_head()
            self.conns.append(conn)
            if self.accepts:
                conn.accept(**self.fields)
            result = self.handle(conn)
        except (Gone, OSError, ssl.SSLError) as e:
            result = e
        finally:
            s.close()
            with self.news:
                self.results.append(result)
                self.news.notify_all()

    def result(self, n=0, seconds=20):
        """What the n-th connection that ended gave (handle's result, or Gone)."""
        with self.news:
            assert self.news.wait_for(lambda: len(self.results) > n, seconds), self.results
            return self.results[n]

    def stop(self):
        self.listener.close()
        for s in self.open:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
