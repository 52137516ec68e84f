"""A server among clients that mean harm, break off, or do not know better: what is wrong is refused, good requests are served all the while,
and what all this took is given back."""
import os
import resource
import select
import socket
import struct
import threading
import time

import pytest

from web import Answer, serving

HANDLERS = """
local http, time = require("http"), require("time")
local function hello() http.response():write("hello") end
local function ignores() http.response():write("unread") end
local function body()
  local text, err = http.request():body()
  if err then return nil, err end
  http.response():write(tostring(#text))
end
local function endless()
  local res = http.response()
  while not res:write(string.rep("x", 10000)) and not res:flush() do end
end
local function never() time.sleep("1h") end
local function raises() error("raised") end
local function raises_late()
  local res = http.response()
  res:write(string.rep("x", 5000))
  res:flush()
  error("raised")
end
local function twice()
  http.response():write("first")
  local res = http.response()
  res:set_status(500)
  res:set_header("X-Second", "1")
  res:write(" second")
end
local function hints()
  local res = http.response()
  res:set_header("Link", "</a.css>; rel=preload")
  res:set_status(103)
  time.sleep("50ms")
  res:write("page")
end
local function echo() http.response():write(http.request():query("n")) end
return { hello = hello, ignores = ignores, body = body, endless = endless, never = never, raises = raises, raises_late = raises_late,
  twice = twice, hints = hints, echo = echo }
"""
METHODS = {"ignores": "POST", "body": "POST"}
NAMES = ("hello", "ignores", "body", "endless", "never", "raises", "raises_late", "twice", "hints", "echo")
CONNECTIONS = 1000


def entries():
    out = [{"name": "processes", "kind": "process.host", "lifecycle": {"auto_start": True}},
           {"name": "api", "kind": "http.router", "meta": {"server": "web"}}]
    for name in NAMES:
        out += [{"name": name, "kind": "function.lua", "source": HANDLERS, "method": name, "modules": ["http", "time"]},
                {"name": name + "_ep", "kind": "http.endpoint", "meta": {"router": "api"}, "method": METHODS.get(name, "GET"),
                 "path": "/" + name, "func": name}]
    return out


@pytest.fixture(scope="module", autouse=True)
def descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 8192)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="module")
def web(wippy, tmp_path_factory, slower):
    with serving(wippy, tmp_path_factory.mktemp("hostile"), entries(), slower=slower) as w:
        yield w


def status_line(web, name):
    with open(f"/proc/{web.program.proc.pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith(name))


def memory(web):
    """Resident, in MB."""
    return status_line(web, "VmRSS") / 1024


# A sanitizer keeps what was freed, up to a limit of its own.
KEPT = 500 if os.environ.get("WIPPY_SANITIZER") else 0


def processor(web):
    """Seconds of processor time so far."""
    with open(f"/proc/{web.program.proc.pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def is_idle(web, seconds=20):
    """Does it come to use next to no processor?"""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        before = processor(web)
        time.sleep(0.5)
        if processor(web) - before <= 0.1:
            return True
    return False


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def said(web, data):
    """The status of the answer to `data`, and whether the server closed then; what it does not read may cost the answer's end."""
    with web.connect() as s:
        try:
            s.sendall(data)
        except OSError:
            pass
        out = b""
        try:
            while chunk := s.recv(65536):
                out += chunk
        except ConnectionResetError:
            pass
    assert out.startswith(b"HTTP/1.1 "), out[:100]
    return int(out[9:12])


HEAD = b"Host: h\r\n"
CHUNKED = b"POST /body HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"


@pytest.mark.parametrize("data, status", [
    pytest.param(b"POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, id="length and chunks"),
    pytest.param(b"POST /body HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400, id="chunks and length"),
    pytest.param(b"POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", 400, id="two lengths"),
    pytest.param(b"POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: +5\r\n\r\nabcde", 400, id="a signed length"),
    pytest.param(b"POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n", 400, id="a length over 64 bits"),
    pytest.param(b"POST /body HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501, id="another coding"),
    pytest.param(CHUNKED + b"Transfer-Encoding: identity\r\n\r\n0\r\n\r\n", 400, id="chunked is not the last coding"),
    pytest.param(b"GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, id="two hosts"),
    pytest.param(b"GET /hello HTTP/1.1\r\n\r\n", 400, id="no host"),
    pytest.param(b"GET /hello HTTP/1.1\r\nHost: h\r\nA: b\0c\r\n\r\n", 400, id="NUL in a value"),
    pytest.param(b"GET /he\0llo HTTP/1.1\r\nHost: h\r\n\r\n", 400, id="NUL in the path"),
    pytest.param(b"GET /hello HTTP/1.1\r\nHost: h\r\nA: b\rc\r\n\r\n", 400, id="CR in a value"),
    pytest.param(b"GET /hello HTTP/1.1\nHost: h\n\n", 400, id="lines without CR"),
    pytest.param(b"GET /hello HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n", 400, id="a folded line"),
    pytest.param(b"GET /hello HTTP/1.1\r\nHost: h\r\nA : b\r\n\r\n", 400, id="a space before the colon"),
    pytest.param(b"GET /hello HTTP/1.1\r\nHost: h\r\n: b\r\n\r\n", 400, id="a field without a name"),
    pytest.param(b"GET /hello HTTP/9.9\r\nHost: h\r\n\r\n", 505, id="another version"),
    pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100), 400, id="TLS"),
    pytest.param(b"GET /hello HTTP/1.1\r\nHost: h\r\n" + b"".join(b"A%d: b\r\n" % i for i in range(100000)) + b"\r\n", 431, id="100,000 fields"),
    pytest.param(b"GET /hello HTTP/1.1\r\nHost: h\r\nA: " + b"x" * (1100 * 1024) + b"\r\n\r\n", 431, id="a head over 1 MiB"),
    pytest.param(b"GET /" + b"x" * (1100 * 1024) + b" HTTP/1.1\r\nHost: h\r\n\r\n", 431, id="a path over 1 MiB"),
])
def test_refused_and_closed(web, data, status):
    assert said(web, data) == status
    assert web.get("/hello").body == b"hello"


@pytest.mark.parametrize("chunks", [b"-1\r\n", b"0x5\r\nabcde\r\n", b"+5\r\nabcde\r\n", b" 5\r\nabcde\r\n", b"fffffffffffffffff\r\n", b"5\nabcde\r\n", b"5\r\nabcdefgh\r\n",
                                    b"g\r\n", b"\r\n", b"5\r\nabcde\n0\r\n\r\n", b"0\r\nContent-Length : 5\r\n\r\n"])
def test_broken_chunks_are_no_body(web, chunks):
    """Refused, by whoever sees it first; never taken for a body, and nothing behind it is taken for a request."""
    with web.connect() as s:
        s.sendall(CHUNKED + b"\r\n" + chunks + b"GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
        s.shutdown(socket.SHUT_WR)
        out = b""
        while chunk := s.recv(65536):
            out += chunk
    assert not out or out.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 500 ")), out
    assert b"hello" not in out and out.count(b"HTTP/1.1 ") <= 1, out


def test_a_body_of_ten_gigabytes(web):
    before = memory(web)
    with web.connect() as s:
        s.sendall(b"POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 10000000000\r\n\r\n" + bytes(100000))
        answer = s.recv(65536)
    assert answer.startswith(b"HTTP/1.1 500 ") and b"request body too large" in answer, answer
    # One that nobody reads: the answer comes, and the connection ends instead of swallowing it.
    with web.connect() as s:
        s.sendall(b"POST /ignores HTTP/1.1\r\nHost: h\r\nContent-Length: 10000000000\r\n\r\n")
        assert b"unread" in s.recv(65536)
        sent = 0
        with pytest.raises(OSError):
            while sent < 50_000_000:
                sent += s.send(bytes(65536))
    # And one that begins, and is broken off.
    for _ in range(20):
        s = web.connect()
        s.sendall(b"POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n" + bytes(500000))
        reset(s)
    assert web.get("/hello").body == b"hello"
    assert is_idle(web) and memory(web) - before < 20 + KEPT


def test_half_closed(web):
    with web.connect() as s:
        s.sendall(b"GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
        s.shutdown(socket.SHUT_WR)
        out = b""
        while chunk := s.recv(65536):
            out += chunk
    assert Answer(out, "GET").body == b"hello"
    # In the middle of a head or a body there will be no more: it ends at once.
    for part in (b"GET /hello HT", b"POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc"):
        with web.connect() as s:
            s.sendall(part)
            s.shutdown(socket.SHUT_WR)
            out = b""
            while chunk := s.recv(65536):
                out += chunk
        assert b"200" not in out.split(b"\r\n")[0], out


def test_resets_in_the_middle_of_an_answer_end_its_handler(web):
    for _ in range(50):
        s = web.connect()
        s.sendall(b"GET /endless HTTP/1.1\r\nHost: h\r\n\r\n")
        assert s.recv(1000).startswith(b"HTTP/1.1 200")
        reset(s)
    assert is_idle(web)
    assert web.get("/hello").body == b"hello"


def test_readers_that_do_not_read(web):
    before = memory(web)
    readers = [web.connect(receive_buffer=4096) for _ in range(50)]
    for s in readers:
        s.sendall(b"GET /endless HTTP/1.1\r\nHost: h\r\n\r\n")
    assert is_idle(web)  # they all wait
    assert memory(web) - before < 50 + KEPT
    assert web.get("/hello").body == b"hello"
    for s in readers:
        reset(s)
    assert is_idle(web)


def test_handlers_that_misbehave(web):
    a = web.get("/raises")
    assert a.status == 500 and a.body.endswith(b"raised\n")
    a = web.get("/twice")
    assert (a.status, a.body, a["X-Second"]) == (200, b"first second", None)
    # One that raises when the head has left cannot say so.
    assert web.get("/raises_late").body == b"x" * 5000
    before = status_line(web, "Threads")
    waiting = [web.connect() for _ in range(50)]
    for s in waiting:
        s.sendall(b"GET /never HTTP/1.1\r\nHost: h\r\n\r\n")
    assert web.get("/hello").body == b"hello"
    for s in waiting:
        reset(s)
    assert web.get("/hello").body == b"hello"
    assert status_line(web, "Threads") <= before + 4  # a handler that waits is no thread


def test_a_thousand_requests_sent_ahead(web):
    count = 1000
    with web.connect() as s:
        last = count - 1
        requests = b"".join(b"GET /echo?n=<%d> HTTP/1.1\r\nHost: h\r\n%s\r\n" % (n, b"Connection: close\r\n" if n == last else b"") for n in range(count))
        sender = threading.Thread(target=s.sendall, args=(requests,))
        sender.start()
        out = b""
        while chunk := s.recv(65536):
            out += chunk
        sender.join()
    assert out.count(b"HTTP/1.1 200 OK\r\n") == count
    bodies = [part.split(b">")[0] for part in out.split(b"<")[1:]]
    assert bodies == [b"%d" % n for n in range(count)]


def test_early_hints(web):
    data = web.raw(b"GET /hints HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    hint, rest = data.split(b"\r\n\r\n", 1)
    assert hint.startswith(b"HTTP/1.1 103 Early Hints\r\n") and b"Link: </a.css>; rel=preload" in hint, data
    a = Answer(rest, "GET")
    assert (a.status, a.body) == (200, b"page")
    # A client of 1.0 does not know interim answers.
    data = web.raw(b"GET /hints HTTP/1.0\r\nHost: h\r\n\r\n")
    assert data.startswith((b"HTTP/1.1 200 ", b"HTTP/1.0 200 ")) and data.endswith(b"page"), data


def test_slow_clients(wippy, tmp_path, slower):
    """A thousand connections whose requests never end: others are served without waiting, `read` ends them, the memory comes back."""
    with serving(wippy, tmp_path, entries(), slower=slower, server={"timeouts": {"read": f"{3 * slower}s"}}) as web:
        assert web.get("/hello").body == b"hello"
        before = memory(web)
        slow = [web.connect() for _ in range(CONNECTIONS)]
        begun, late = time.monotonic(), []
        for part in (b"GET /hello HTTP/1.1\r\n", b"Host: h\r\n", b"X-A", b": b\r\n"):
            for s in slow:
                s.send(part)
            for _ in range(20):
                start = time.monotonic()
                assert web.get("/hello").body == b"hello"
                late.append(time.monotonic() - start)
        held = memory(web) - before
        assert sorted(late)[len(late) // 2] < 0.25 * slower, sorted(late)
        assert held < 20 + KEPT, held
        for s in slow:
            assert s.recv(1000) == b""
        assert time.monotonic() - begun < 20 * slower
        for s in slow:
            s.close()
        assert web.get("/hello").body == b"hello"
        assert memory(web) - before < 10 + KEPT


def test_no_descriptor_is_free(wippy, tmp_path, slower):
    """Connections wait in the kernel's queue, the log says so once, and they are served when others leave."""
    with serving(wippy, tmp_path, entries(), slower=slower) as web:
        pid = web.program.proc.pid
        assert web.get("/hello").body == b"hello"
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (80, limits[1]))
        many = [web.connect() for _ in range(150)]
        for s in many:
            s.sendall(b"GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
        web.program.wait_for("no descriptor is free")
        assert is_idle(web)
        answered, _, _ = select.select(many, [], [], 0)
        assert 0 < len(answered) < 80
        # Those who have their answer leave; then the next ones get in, whichever worker they wait for.
        while many:
            answered, _, _ = select.select(many, [], [], web.timeout)
            assert answered, f"{len(many)} wait for ever"
            for s in answered:
                assert s.recv(1000).endswith(b"hello")
                s.close()
                many.remove(s)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        assert web.get("/hello").body == b"hello"
        log = "".join(web.program.stdout + web.program.stderr)
        assert log.count("no descriptor is free") == 1, log


def test_what_is_left(web):
    """After all of the above the log is short."""
    assert web.get("/hello").body == b"hello"
    assert is_idle(web)
    log = "".join(web.program.stdout + web.program.stderr)
    assert len(log.splitlines()) < 40, log
