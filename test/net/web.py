"""A program that serves HTTP, and a client that tidies nothing up.

    with serving(wippy, folder, entries) as web:
        web.get("/a", "Range: bytes=0-1") -> Answer: .status, ["Content-Type"], .body
        web.raw(b"GET / HTTP/1.1\\r\\n...")  -> the bytes that came until the connection closed
"""
import contextlib
import json
import socket
import struct
import time

LOCK = "directories:\n    modules: .wippy\n    src: ./src\n"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def write_project(folder, entries, files=None, config=None):
    index = {"version": "1.0", "namespace": "app", "entries": entries}
    # YAML is a superset of JSON.
    files = {"wippy.lock": LOCK, "src/_index.yaml": json.dumps(index, indent=1), **(files or {})}
    if config:
        files[".wippy.yaml"] = json.dumps({"version": "1.0", **config})
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


class Answer:
    def __init__(self, data, method):
        head, _, body = data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        assert lines[0].startswith("HTTP/1.1 "), data[:200]
        self.status = int(lines[0].split(" ")[1])
        self.fields = [tuple(p.strip() for p in line.split(":", 1)) for line in lines[1:]]
        self.whole = True
        if self["Transfer-Encoding"] == "chunked":
            body, self.whole = unchunk(body)
        elif self["Content-Length"] is not None and method != "HEAD":
            self.whole = len(body) == int(self["Content-Length"])
        self.body = body

    def all(self, name):
        return [v for k, v in self.fields if k.lower() == name.lower()]

    def __getitem__(self, name):
        """The value of a field that is there once; None when absent."""
        values = self.all(name)
        assert len(values) < 2, (name, values)
        return values[0] if values else None

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.fields} {self.body[:500]!r}"


def unchunk(data):
    out = b""
    while True:
        line, _, data = data.partition(b"\r\n")
        size = int(line.split(b";")[0] or b"0", 16)
        if size == 0:
            return out, line == b"0"
        out, data = out + data[:size], data[size + 2:]


class Stream:
    """A connected socket with a buffer."""

    def __init__(self, sock):
        self.sock = sock
        self.data = b""

    def more(self):
        chunk = self.sock.recv(65536)
        self.data += chunk
        return bool(chunk)

    def until(self, mark):
        while mark not in self.data:
            assert self.more(), f"closed before {mark!r}: {self.data[-300:]!r}"
        found, self.data = self.data.split(mark, 1)
        return found

    def exactly(self, n):
        while len(self.data) < n:
            assert self.more(), f"closed before {n} bytes: {self.data[-300:]!r}"
        found, self.data = self.data[:n], self.data[n:]
        return found

    def rest(self):
        while self.more():
            pass
        found, self.data = self.data, b""
        return found

    def chunk(self):
        """The next chunk of a chunked body; b"" for the last."""
        data = self.exactly(int(self.until(b"\r\n"), 16))
        assert self.exactly(2) == b"\r\n"
        return data

    def close(self):
        self.sock.close()

    def reset(self):
        """Vanish: the peer gets RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


class Web:
    def __init__(self, port, program, timeout):
        self.port, self.program, self.timeout = port, program, timeout

    def connect(self, receive_buffer=None, source=None):
        s = socket.socket()
        if receive_buffer:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        s.settimeout(self.timeout)
        if source:
            s.bind((source, 0))
        s.connect(("127.0.0.1", self.port))
        return s

    def raw(self, data, source=None):
        with self.connect(source=source) as s:
            s.sendall(data)
            out = []
            while chunk := s.recv(65536):
                out.append(chunk)
        return b"".join(out)

    def ask(self, method, target, *fields, body=b"", source=None, host="web.test"):
        head = [f"{method} {target} HTTP/1.1", f"Host: {host}", "Connection: close", *fields]
        if body:
            head.append(f"Content-Length: {len(body)}")
        data = "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body
        return Answer(self.raw(data, source), method)

    def get(self, target, *fields, **kw):
        return self.ask("GET", target, *fields, **kw)


@contextlib.contextmanager
def serving(wippy, folder, entries, files=None, config=None, slower=1, server=None):
    """The program with an http.service app:web in front of `entries`."""
    port = free_port()
    web = {"name": "web", "kind": "http.service", "addr": f"127.0.0.1:{port}", "lifecycle": {"auto_start": True},
           **(server or {})}
    write_project(folder, [web, *entries], files, config)
    with wippy.start(folder, "run") as program:
        end = time.monotonic() + 15 * slower
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert time.monotonic() < end and program.proc.poll() is None, \
                    "".join(program.stdout) + "".join(program.stderr)
                time.sleep(0.02)
        yield Web(port, program, 20 * slower)
        # Requests never end the program, and a sanitizer reports when it ends.
        assert program.proc.poll() is None, "".join(program.stderr)[-3000:]
        program.signal()
        assert program.wait() == 0, "".join(program.stderr)[-3000:]


def mount(name, path, fs="files", **fields):
    return {"name": name, "kind": "http.static", "meta": {"server": "web"}, "path": path, "fs": fs, **fields}


def folder_entry(name, directory):
    return {"name": name, "kind": "fs.directory", "directory": directory}
