#!/usr/bin/env python3
"""soak_http.py [MINUTES [CLIENTS]] - does a server of ours that runs for long stay as it is?

MINUTES (default 20) of mixed traffic from CLIENTS (default 24) clients: kept and new connections, JSON in and out, streams, uploads with and without
a length, WebSockets, server-sent events, ranges of a file, handlers that fail, and clients that break off anywhere; 100 connections only sit there. Every
answer is checked. Each half minute the program's resident memory and descriptors are printed. At the end all clients leave; the verdict is "flat" when
memory, from the first fifth of the time (at least one minute) to the end, grew by no more than 10 % and 2 MB, no descriptor is left over, and no answer
was wrong. WIPPY_BIN is the program to measure.
"""
import asyncio
import base64
import collections
import json
import os
import random
import signal
import socket
import struct
import sys
import tempfile
import time

WIPPY = os.environ.get("WIPPY_BIN", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "build", "wippy"))
SITTING = 100
BIG = bytes(range(256)) * 4096  # 1 MB
TEXT, CLOSE = 1, 8

HANDLERS = """
local http, json, time = require("http"), require("json"), require("time")
local function hello() http.response():write("hello") end
local function double()
  local req, res = http.request(), http.response()
  local body, err = req:body_json()
  if err then return nil, err end
  res:write_json({ twice = body.n * 2, text = body.text })
end
local function stream()
  local res = http.response()
  for i = 1, 20 do
    res:write(string.rep(tostring(i % 10), 1000))
    res:flush()
  end
end
local function upload()
  local from, size = http.request():stream(), 0
  while true do
    local portion = from:read(65536)
    if not portion then break end
    size = size + #portion
  end
  http.response():write(tostring(size))
end
local function fails() error("as it should") end
local function relay(name, header)
  http.response():set_header(header, json.encode({ target_pid = process.registry.lookup(name), message_topic = header == "X-SSE-Relay" and "tick" or nil }))
end
local function socket() relay("echo", "X-WS-Relay") end
local function events() relay("ticker", "X-SSE-Relay") end
return { hello = hello, double = double, stream = stream, upload = upload, fails = fails, socket = socket, events = events }
"""

ECHO = """
local function main()
  process.registry.register("echo")
  local inbox = process.inbox()
  while true do
    local m = inbox:receive()
    if m:topic() == "ws.message" then process.send(m:from(), "echo", m:payload():data()) end
  end
end
return { main = main }
"""

TICKER = """
local time = require("time")
local function main()
  process.registry.register("ticker")
  local inbox, clock, watchers = process.inbox(), time.ticker("50ms"), {}
  while true do
    local got = channel.select({ inbox:case_receive(), clock:channel():case_receive() })
    if got.channel == inbox then
      local pid = got.value:payload():data().client_pid
      watchers[pid] = got.value:topic() == "sse.join" and 0 or nil
    else
      for pid, n in pairs(watchers) do
        watchers[pid] = n + 1
        process.send(pid, "tick", n + 1)
      end
    end
  end
end
return { main = main }
"""


class Wrong(Exception):
    """An answer that is not what it must be."""


def check(truth, *what):
    if not truth:
        raise Wrong(*what)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def write_project(folder, port):
    paths = {"hello": "GET", "double": "POST", "stream": "GET", "upload": "POST", "fails": "GET"}
    entries = [
        {"name": "processes", "kind": "process.host", "lifecycle": {"auto_start": True}},
        {"name": "web", "kind": "http.service", "addr": f"127.0.0.1:{port}", "lifecycle": {"auto_start": True}},
        {"name": "files", "kind": "fs.directory", "directory": "./public"},
        {"name": "mount", "kind": "http.static", "meta": {"server": "web"}, "path": "/files", "fs": "files"},
        {"name": "api", "kind": "http.router", "meta": {"server": "web"}},
        {"name": "ws", "kind": "http.router", "meta": {"server": "web"}, "prefix": "/ws", "post_middleware": ["websocket_relay"]},
        {"name": "sse", "kind": "http.router", "meta": {"server": "web"}, "prefix": "/sse", "post_middleware": ["sse_relay"]},
    ]
    for name, router, method, path in [(n, "api", m, "/" + n) for n, m in paths.items()] + \
            [("socket", "ws", "GET", "/go"), ("events", "sse", "GET", "/go")]:
        entries.append({"name": name, "kind": "function.lua", "source": HANDLERS, "method": name, "modules": ["http", "json", "time"]})
        entries.append({"name": name + "_ep", "kind": "http.endpoint", "meta": {"router": router}, "method": method, "path": path, "func": name})
    for name, source in (("echo", ECHO), ("ticker", TICKER)):
        entries.append({"name": name, "kind": "process.lua", "source": source, "method": "main", "modules": ["time"]})
        entries.append({"name": name + "_service", "kind": "process.service", "process": name, "host": "app:processes", "lifecycle": {"auto_start": True}})
    os.makedirs(f"{folder}/src")
    os.makedirs(f"{folder}/public")
    for name, content in (("wippy.lock", b"directories:\n    modules: .wippy\n    src: ./src\n"), ("public/big.bin", BIG),
                          ("src/_index.yaml", json.dumps({"version": "1.0", "namespace": "app", "entries": entries}).encode())):
        with open(f"{folder}/{name}", "wb") as f:
            f.write(content)


class Connection:
    def __init__(self, port):
        self.port = port

    async def __aenter__(self):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_):
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except OSError:
            pass

    def reset(self):
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def send(self, method, path, *fields, body=b""):
        head = "\r\n".join([f"{method} {path} HTTP/1.1", "Host: soak.test", *fields, *([f"Content-Length: {len(body)}"] if body else [])])
        self.writer.write(head.encode() + b"\r\n\r\n" + body)
        await self.writer.drain()

    async def head(self):
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
        return int(lines[0].split()[1]), fields

    async def chunk(self):
        data = await self.reader.readexactly(int(await self.reader.readline(), 16))
        await self.reader.readexactly(2)
        return data

    async def answer(self):
        status, fields = await self.head()
        if fields.get("transfer-encoding") != "chunked":
            return status, await self.reader.readexactly(int(fields["content-length"]))
        body = []
        while data := await self.chunk():
            body.append(data)
        return status, b"".join(body)

    async def ask(self, *args, **kw):
        await self.send(*args, **kw)
        return await self.answer()


async def one(c, what):
    """One request on an open connection, one of the ordinary kinds."""
    if what == "hello":
        check(await c.ask("GET", "/hello") == (200, b"hello"), what)
    elif what == "json":
        n, text = random.randrange(10 ** 6), "x" * random.randrange(3000)
        status, body = await c.ask("POST", "/double", body=json.dumps({"n": n, "text": text}).encode())
        check(status == 200 and json.loads(body) == {"twice": 2 * n, "text": text}, what, status)
    elif what == "stream":
        check(await c.ask("GET", "/stream") == (200, b"".join(b"%d" % (i % 10) * 1000 for i in range(1, 21))), what)
    elif what == "upload":
        size = random.randrange(1, 300000)
        check(await c.ask("POST", "/upload", body=BIG[:size]) == (200, b"%d" % size), what)
    elif what == "chunked upload":
        await c.send("POST", "/upload", "Transfer-Encoding: chunked")
        sizes = [random.randrange(1, 30000) for _ in range(10)]
        for size in sizes:
            c.writer.write(b"%x\r\n%s\r\n" % (size, BIG[:size]))
            await c.writer.drain()
        c.writer.write(b"0\r\n\r\n")
        check(await c.answer() == (200, b"%d" % sum(sizes)), what)
    elif what == "range":
        first = random.randrange(len(BIG))
        last = min(len(BIG) - 1, first + random.randrange(200000))
        check(await c.ask("GET", "/files/big.bin", f"Range: bytes={first}-{last}") == (206, BIG[first:last + 1]), what)
    elif what == "failure":
        status, body = await c.ask("GET", "/fails")
        check(status == 500 and body.endswith(b"as it should\n"), what, status)
    elif what == "unknown":
        check((await c.ask("GET", "/nonesuch"))[0] == 404, what)


ORDINARY = ["hello", "hello", "hello", "json", "json", "stream", "upload", "chunked upload", "range", "failure", "unknown"]


async def kept(port, counts):
    async with Connection(port) as c:
        for _ in range(random.randrange(1, 200)):
            what = random.choice(ORDINARY)
            await one(c, what)
            counts[what] += 1


async def fresh(port, counts):
    for _ in range(20):
        async with Connection(port) as c:
            await one(c, random.choice(ORDINARY))
        counts["new connection"] += 1


async def web_socket(port, counts):
    async with Connection(port) as c:
        key = base64.b64encode(os.urandom(16)).decode()
        await c.send("GET", "/ws/go", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}")
        check((await c.head())[0] == 101, "upgrade")
        for i in range(random.randrange(1, 50)):
            data = b"%d " % i + BIG[48:58] * random.randrange(200)
            c.writer.write(bytes([0x80 | TEXT]) + (bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + struct.pack(">H", len(data))) + bytes(4) + data)
            opcode, n = await c.reader.readexactly(2)
            if n == 126:
                n, = struct.unpack(">H", await c.reader.readexactly(2))
            check(opcode == 0x80 | TEXT and json.loads(await c.reader.readexactly(n)) == {"topic": "echo", "data": data.decode()}, "echo")
            counts["WebSocket message"] += 1
        if random.random() < 0.5:
            c.writer.write(bytes([0x80 | CLOSE, 0x82]) + bytes(4) + struct.pack(">H", 1000))
            check((await c.reader.read())[:2] == bytes([0x80 | CLOSE, 2]), "close")
        elif random.random() < 0.5:
            c.reset()


async def events(port, counts):
    async with Connection(port) as c:
        await c.send("GET", "/sse/go")
        check((await c.head())[0] == 200, "events")
        text = b""
        for n in range(1, random.randrange(2, 30)):
            while b"\n\n" not in text:
                text += await c.chunk()
            block, text = text.split(b"\n\n", 1)
            check(block == b"event: tick\ndata: %d" % n, "event", block)
            counts["event"] += 1
        if random.random() < 0.5:
            c.reset()


async def abort(port, counts):
    """Breaks off anywhere: in a head, in a body, in an answer."""
    request = random.choice([
        b"GET /stream HTTP/1.1\r\nHost: h\r\n\r\n", b"GET /files/big.bin HTTP/1.1\r\nHost: h\r\n\r\n", b"GET /sse/go HTTP/1.1\r\nHost: h\r\n\r\n",
        b"POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n" + bytes(50000),
        b"POST /double HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n{" + b" " * 5000])
    for _ in range(20):
        async with Connection(port) as c:
            c.writer.write(request[:random.randrange(1, len(request) + 1)] if random.random() < 0.5 else request)
            await asyncio.sleep(random.random() * 0.02)
            if random.random() < 0.7:
                c.reset()
        counts["broken off"] += 1


KINDS = [kept, kept, kept, fresh, web_socket, events, abort]


async def client(n, port, counts, wrong, end):
    while time.monotonic() < end:
        kind = KINDS[n % len(KINDS)]
        n += 1
        try:
            await asyncio.wait_for(kind(port, counts), 60)
        except (Wrong, OSError, ValueError, EOFError, asyncio.TimeoutError) as e:
            wrong[f"{kind.__name__}: {e!r}"] += 1


def figures(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        rss = next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))
    return rss / 1024, len(os.listdir(f"/proc/{pid}/fd"))


async def watch(pid, counts, end, seen):
    start, before = time.monotonic(), 0
    while time.monotonic() < end:
        await asyncio.sleep(min(30, max(0, end - time.monotonic())))
        rss, descriptors = figures(pid)
        seen.append((time.monotonic() - start, rss, descriptors))
        total = sum(counts.values())
        print(f"{seen[-1][0] / 60:5.1f} min  {rss:7.1f} MB  {descriptors:4} descriptors  {total - before:8} exchanges", flush=True)
        before = total


async def wait_for(port, process):
    for _ in range(300):
        if process.returncode is not None:
            sys.exit("the server does not start")
        try:
            (await asyncio.open_connection("127.0.0.1", port))[1].close()
            return
        except OSError:
            await asyncio.sleep(0.1)
    sys.exit("the server does not start")


async def soak(folder, minutes, clients):
    port = free_port()
    write_project(folder, port)
    counts, wrong, seen = collections.Counter(), collections.Counter(), []
    with open(f"{folder}/log", "wb") as log:
        process = await asyncio.create_subprocess_exec(WIPPY, "run", cwd=folder, stdout=log, stderr=log)
    try:
        await wait_for(port, process)
        await fresh(port, counts)
        _, empty = figures(process.pid)
        sitting = [await asyncio.open_connection("127.0.0.1", port) for _ in range(SITTING)]
        end = time.monotonic() + minutes * 60
        await asyncio.gather(watch(process.pid, counts, end, seen), *[client(i, port, counts, wrong, end) for i in range(clients)])
        for _, writer in sitting:
            writer.close()
        await asyncio.sleep(3)
        rss, left = figures(process.pid)
        print(f"  all left  {rss:7.1f} MB  {left:4} descriptors (before: {empty}), log {os.path.getsize(folder + '/log')} bytes")
        process.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(process.wait(), 30)
    finally:
        if process.returncode is None:
            process.kill()
    for what, n in sorted(counts.items()):
        print(f"{n:10} {what}")
    for what, n in wrong.most_common(10):
        print(f"WRONG {n} times: {what}")
    first = next((s for s in seen if s[0] >= max(60, minutes * 12)), seen[0])
    growth = seen[-1][1] - first[1]
    flat = growth <= 2 or growth <= first[1] / 10
    flat = flat and left <= empty and not wrong and code == 0
    print(f"{'flat' if flat else 'NOT FLAT'}: memory {100 * growth / first[1]:+.1f} % from {first[1]:.1f} MB after {first[0] / 60:.1f} min, "
          f"descriptors {left - empty:+}, {sum(wrong.values())} wrong answers, ended with {code}")
    return 0 if flat else 1


def main():
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 20
    clients = int(sys.argv[2]) if len(sys.argv) > 2 else 24
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(soak(folder, minutes, clients))


if __name__ == "__main__":
    sys.exit(main())
