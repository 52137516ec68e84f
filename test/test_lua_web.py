"""The Lua module `http`: handlers of lua/web/ answer, raw sockets ask, so that nothing is tidied up on the way."""
import contextlib
import json
import re
import shutil
import socket
import time
import urllib.parse
from pathlib import Path

import pytest

from web import Answer as PlainAnswer
from web import Stream, free_port
from web import Web as PlainWeb

PROGRAMS = Path(__file__).parent / "lua" / "web"
NO_REQUEST = {"kind": "Internal", "message": "no HTTP request context found", "retryable": False}
NOT_READ = {"kind": "Internal", "message": "failed to read body", "retryable": False}
TOO_LARGE = {"kind": "Invalid", "message": "request body too large", "retryable": False}


def is_open(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


class Answer(PlainAnswer):
    def __getitem__(self, name):
        """All values of a field, joined; None when absent."""
        return ", ".join(self.all(name)) or None


class Connection(Stream):
    """A connection that sends what it is told and reads answers one by one."""

    def __init__(self, port, receive_buffer=None):
        super().__init__(PlainWeb(port, None, 20).connect(receive_buffer))

    def send(self, data):
        self.sock.sendall(data.encode() if isinstance(data, str) else data)

    def head(self):
        return Answer(self.until(b"\r\n\r\n") + b"\r\n\r\n", "HEAD")

    def answer(self, head=False):
        a = self.head()
        if head or a.status in (204, 304) or a.status < 200:
            return a
        if a["Transfer-Encoding"] == "chunked":
            a.body = b"".join(iter(self.chunk, b""))
        elif a["Content-Length"] is not None:
            a.body = self.exactly(int(a["Content-Length"]))
        else:
            a.body = self.rest()
        return a

    def ask(self, method, target, body=b"", headers=(), head=False):
        lines = [f"{method} {target} HTTP/1.1", "Host: test", *headers]
        if body or method == "POST":
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
        return self.answer(head=head)

    def is_closed(self):
        """Does the peer close now?"""
        return not self.more()


class Web:
    def __init__(self, port, running):
        self.port, self.running = port, running

    def connect(self, **kw):
        return contextlib.closing(Connection(self.port, **kw))

    def ask(self, *args, **kw):
        with self.connect() as c:
            return c.ask(*args, **kw)

    def note(self, key):
        got = self.ask("GET", f"/note/{key}").json()
        return None if got == [] else got["value"]

    def note_becomes(self, key, wanted, seconds=15):
        end = time.monotonic() + seconds
        while not wanted(self.note(key)):
            assert time.monotonic() < end, (key, self.note(key))
            time.sleep(0.03)
        return self.note(key)

    def respond(self, *ops, end=None, key="", head=False, headers=()):
        query = {"ops": json.dumps(ops), **({"end": end} if end else {}), **({"key": key} if key else {})}
        method = "HEAD" if head else "GET"
        return self.ask(method, "/respond?" + urllib.parse.urlencode(query), head=head, headers=headers)

    def memory(self):
        status = Path(f"/proc/{self.running.proc.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) * 1024

    def open_files(self):
        return len(list(Path(f"/proc/{self.running.proc.pid}/fd").iterdir()))


@contextlib.contextmanager
def serving(wippy, folder, *args, extra=""):
    port = free_port()
    index = folder / "src" / "_index.yaml"
    index.write_text(index.read_text().replace('addr: "127.0.0.1:8080"', f'addr: "127.0.0.1:{port}"{extra}'))
    with wippy.start(folder, "run", *args) as running:
        end = time.monotonic() + 30
        while not is_open(port):
            assert running.proc.poll() is None and time.monotonic() < end, "".join(running.stderr)
            time.sleep(0.02)
        yield Web(port, running)
        if running.proc.poll() is None:
            running.signal()
            assert running.wait() == 0, "".join(running.stderr)


@pytest.fixture(scope="module")
def web(wippy, tmp_path_factory):
    folder = shutil.copytree(PROGRAMS, tmp_path_factory.mktemp("web") / "web")
    with serving(wippy, folder) as w:
        yield w


@pytest.fixture
def own_web(wippy, tmp_path):
    """own_web(extra="..."): a server for one test."""
    with contextlib.ExitStack() as stack:
        yield lambda *args, **kw: stack.enter_context(
            serving(wippy, shutil.copytree(PROGRAMS, tmp_path / "web"), *args, **kw))


# -- the request ---------------------------------------------------------------------------------------------------------

def test_getters(web):
    with web.connect() as c:
        a = c.ask("GET", "/describe/a%20b/of/%C3%A9?a=1&a=2&b+c=x%2By&empty&bad=%zz&=n", headers=[
            "X-API-Key: secret", "X-Twice: one", "x-twice:two", "Accept: application/json , text/html;q=0.8"])
        got = a.json()
        port = c.sock.getsockname()[1]
    assert a.status == 200 and a["Content-Type"] == "application/json"
    assert got == {
        "method": "GET", "second_is_nil": True, "path": "/describe/a b/of/é",
        "query": {"a": "1", "b": "x+y", "empty": "", "none": "nil"},
        "query_params": {"a": "1,2", "b c": "x+y", "empty": "", "": "n"},
        "header": {"canonical": "secret", "lower": "secret", "twice": "one, two", "host": "nil", "none": "nil"},
        "content_type": "nil", "content_length": 0, "host": "test", "remote_addr": f"127.0.0.1:{port}",
        "param": "a b", "kind_param": "é", "no_param": "nil", "params": {"id": "a b", "kind": "é"},
        "has_body": False, "accepts": {"json": True, "html": False, "plain": False}, "is_json": False, "is_upper": False,
        "text": "http.Request{method=GET, path=/describe/a b/of/é}", "response_text": "http.Response{}",
        "refused": {"query": True, "header": True, "param": True, "accepts": True, "is_content_type": True},
        "of_other": got["of_other"], "type": "userdata",
    }
    assert "http.Request expected" in got["of_other"]


def test_getters_of_a_post(web):
    got = web.ask("POST", "/describe/1/of/2", b"{}", ["Content-Type: application/json; charset=utf-8", "Accept: */*"]).json()
    assert got["method"] == "POST" and got["content_length"] == 2 and got["has_body"] is True
    assert got["content_type"] == "application/json; charset=utf-8" and got["is_json"] and not got["is_upper"]
    assert got["accepts"] == {"json": True, "html": True, "plain": True}


def test_getters_of_a_chunked_post(web):
    with web.connect() as c:
        c.send("POST /describe/1/of/2 HTTP/1.1\r\nHost: test:81\r\nTransfer-Encoding: chunked\r\nContent-Type:\r\n\r\n2\r\nab\r\n0\r\n\r\n")
        got = c.answer().json()
    assert got["content_length"] == -1 and got["has_body"] is False and got["host"] == "test:81" and got["content_type"] == "nil"


def test_a_tail_is_no_parameter(web):
    got = web.ask("GET", "/tail/a/b").json()
    assert got["path"] == "/tail/a/b" and got.get("params") in ([], {}) and "param" not in got and "params_error" not in got


def test_a_query_of_one_name(web):
    """Hundreds of values of one name: they are joined once."""
    n = 700
    started = time.monotonic()
    got = web.ask("GET", "/tail/x?" + "&".join(["a=1"] * n)).json()
    assert got["query_params"]["a"] == ",".join(["1"] * n) and time.monotonic() - started < 5


# -- its body ------------------------------------------------------------------------------------------------------------

def test_body(web):
    assert web.ask("POST", "/body?n=2", b"hello").json() == [{"len": 5, "body": "hello"}, {"error": NOT_READ}]
    assert web.ask("POST", "/body?n=1&other=1", b"hello").json() == [{"len": 5, "body": "hello"}, {"error": NOT_READ}]
    assert web.ask("POST", "/body?n=2", b"").json() == [{"len": 0, "body": ""}] * 2
    assert web.ask("GET", "/body?n=2").json() == [{"len": 0, "body": ""}] * 2


def test_large_body(web):
    body = bytes(range(256)) * 40000
    assert web.ask("POST", "/copy", body).body == body


@pytest.mark.parametrize("size, options, good", [
    (10, "max_body=10", True),
    (11, "max_body=10", False),
    (11, "max_body=0", True),
    (11, "max_body=-1", True),
    (11, "max_body=many", True),
    (100000, "max_body=99999", False),
    (100000, "max_body=100000", True),
])
@pytest.mark.parametrize("chunked", [False, True])
def test_body_limit(web, size, options, good, chunked):
    with web.connect() as c:
        if chunked:
            c.send(f"POST /body?{options} HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n")
            left = size
            while left:
                n = min(left, 7000)
                c.send(f"{n:x}\r\n" + "x" * n + "\r\n")
                left -= n
            c.send("0\r\n\r\n")
            got = c.answer().json()
        else:
            got = c.ask("POST", f"/body?{options}", b"x" * size).json()
    assert got == [{"len": size, "body": "x" * (size if size < 1000 else 10)}] if good else got == [{"error": TOO_LARGE}]


def test_a_declared_length_leaves_the_body_unread(web):
    """With a smaller limit first, another object can still read it."""
    assert web.ask("POST", "/body?max_body=3&other=1", b"hello").json() == [{"error": TOO_LARGE}, {"body": "hello"}]


def test_an_empty_chunked_body(web):
    with web.connect() as c:
        c.send("POST /body?n=2 HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n")
        time.sleep(0.1)
        c.send("0\r\n\r\n")
        assert c.answer().json() == [{"len": 0, "body": ""}] * 2


def test_body_timeout(web):
    with web.connect() as c:
        c.send("POST /body?timeout=200&key=late HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nhello")
        started = time.monotonic()
        web.note_becomes("late", lambda v: v)
        c.send("world")
        got = c.answer().json()
    assert got == [{"error": {"kind": "Internal", "message": "failed to read body: request timeout after 200ms", "retryable": False}}]
    assert 0.15 < time.monotonic() - started < 10


def test_body_in_bits(web):
    with web.connect() as c:
        c.send("POST /body HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\n")
        for byte in "hello":
            time.sleep(0.02)
            c.send(byte)
        assert c.answer().json() == [{"len": 5, "body": "hello"}]


def test_expect_continue(web):
    with web.connect() as c:
        c.send("POST /body HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert c.head().status == 100
        c.send("hello")
        assert c.answer().json() == [{"len": 5, "body": "hello"}]


def test_two_coroutines_read_one_body(web):
    got = web.ask("POST", "/bodies-at-once", b"hello").json()
    assert sorted(got[:2]) == ["string", "table"] and "hello" in got[2:] and NOT_READ in got[2:]


@pytest.mark.parametrize("body, want", [
    (b'{"a": [1, true, "x"]}', {"type": "table", "value": {"a": [1, True, "x"]}}),
    (b"17", {"type": "number", "value": 17}),
    (b'"x"', {"type": "string", "value": "x"}),
    (b"null", {"type": "nil"}),
    (b"false", {"type": "boolean", "value": False}),
])
def test_body_json(web, body, want):
    assert web.ask("POST", "/json", body, ["Content-Type: text/plain"]).json() == want


@pytest.mark.parametrize("body", [b"", b"{", b"hello", b"[1,]", b"[" * 200])
def test_body_that_is_no_json(web, body):
    e = web.ask("POST", "/json", body).json()["error"]
    assert e["kind"] == "Invalid" and e["message"].startswith("invalid JSON: ") and e["retryable"] is False


def test_body_json_limit(web):
    assert web.ask("POST", "/json?max_body=4", b"[1,2]").json()["error"] == TOO_LARGE


# -- as a stream ---------------------------------------------------------------------------------------------------------

def checksum(data, piece):
    total = 0
    for i in range(0, len(data), piece):
        part = data[i:i + piece]
        total = (total * 31 + part[0] + part[-1]) % 1000003
    return total


def test_stream(web):
    got = web.ask("POST", "/stream?piece=4", b"0123456789").json()
    assert got == {"total": 10, "reads": 3, "largest": 4, "sum": checksum(b"0123456789", 4), "size": 10, "position": 10,
                   "again": NOT_READ, "body": NOT_READ, "closed": True}
    got = web.ask("POST", "/stream", b"").json()
    assert got["total"] == 0 and got["size"] == 0 and got["again"] is True


def test_stream_of_unknown_length(web):
    with web.connect() as c:
        c.send("POST /stream HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(3):
            c.send("3\r\nabc\r\n")
            time.sleep(0.02)
        c.send("0\r\n\r\n")
        got = c.answer().json()
    assert got["total"] == 9 and got["size"] == -1 and got["position"] == 9


def test_upload_of_200_megabytes_needs_no_memory(web, slower):
    size, piece = 200 * 1024 * 1024, b"0123456789abcdef" * 4096
    web.ask("POST", "/stream", piece)
    before = web.memory()
    peak = before
    with web.connect() as c:
        c.sock.settimeout(120 * slower)
        c.send(f"POST /stream HTTP/1.1\r\nHost: test\r\nContent-Length: {size}\r\n\r\n")
        for i in range(size // len(piece)):
            c.send(piece)
            if i % 100 == 0:
                peak = max(peak, web.memory())
        got = c.answer().json()
    assert got["total"] == size and got["largest"] <= 32768
    assert slower > 1 or peak - before < 24 * 1024 * 1024, (before, peak)


def test_a_slow_reader_holds_the_sender_up(web):
    """What a handler does not read waits at the client."""
    with web.connect() as c:
        c.send("POST /stream?piece=1000&pause=50ms&key=slow HTTP/1.1\r\nHost: test\r\nContent-Length: 100000000\r\n\r\n")
        c.sock.setblocking(False)
        sent, quiet = 0, time.monotonic()
        end = quiet + 5
        while time.monotonic() < end and time.monotonic() - quiet < 1:
            with contextlib.suppress(BlockingIOError):
                sent += c.sock.send(b"x" * 65536)
                quiet = time.monotonic()
            time.sleep(0.001)
        taken = web.note("slow")
    # The rest lies in the kernel's buffers of both ends.
    assert sent < 32 * 1024 * 1024 and taken < sent


def test_half_an_upload(web):
    """The client leaves in the middle: the handler is cancelled or told, and the server goes on."""
    with web.connect() as c:
        c.send("POST /stream?key=half HTTP/1.1\r\nHost: test\r\nContent-Length: 1000\r\n\r\n" + "x" * 100)
        web.note_becomes("half", lambda v: v == 100)
    time.sleep(0.2)
    assert web.ask("POST", "/body", b"still there").json() == [{"len": 11, "body": "still there"}]


def test_a_body_that_is_read_too_late(web):
    """What the server threw away because the answer had begun does not look like a body that ended."""
    with web.connect() as c:
        c.send("POST /too-late HTTP/1.1\r\nHost: test\r\nContent-Length: 200000\r\n\r\n" + "y" * 100)
        time.sleep(0.2)
        c.send("y" * 199900)
        assert c.answer().body == b"x" * 5000
    got = web.note_becomes("too-late", lambda v: v)
    assert got["total"] < 200000 and got["error"].startswith("stream read: "), got


# -- multipart -----------------------------------------------------------------------------------------------------------

def multipart(*parts, boundary="B"):
    """(name, content) or (name, content, filename[, type])"""
    out = b""
    for name, content, *more in parts:
        out += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'.encode()
        if more:
            out += f'; filename="{more[0]}"\r\nContent-Type: {(more + ["text/plain"])[1]}'.encode()
        out += b"\r\n\r\n" + content + b"\r\n"
    return out + f"--{boundary}--\r\n".encode()


FORM = ["Content-Type: multipart/form-data; boundary=B"]


def digest(data):
    total = 0
    for at in range(0, len(data), 65536):
        for byte in data[at:at + 65536:4093]:
            total = (total * 31 + byte) % 1000003
    return {"total": len(data), "sum": total}


def test_form(web):
    body = multipart(("a", b"1"), ("b", b"x"), ("b", b""), ("b", b"z\r\n--C"), ("f", b"content", "dir/one.txt"),
                     ("f", b"", "two.txt", "image/png"), ("g", b"", ""))
    got = web.ask("POST", "/form", body, FORM).json()
    first, second = got["files"].pop("f")
    assert got == {"values": {"a": "1", "b": ["x", "", "z\r\n--C"], "g": ""}, "files": [], "again": True, "body": NOT_READ} or \
        got == {"values": {"a": "1", "b": ["x", "", "z\r\n--C"], "g": ""}, "files": {}, "again": True, "body": NOT_READ}, got
    assert first == {"name": "one.txt", "size": 7, "type": "text/plain", "text": "http.MultipartFile{name=one.txt, size=7}", "none": "nil",
                     "content": "content", "at_end": "nil", "again": "con", "from_one": "o", "stat": [7, 2, True, False, True]}
    assert second["name"] == "two.txt" and second["size"] == 0 and second["type"] == "image/png"


@pytest.mark.parametrize("memory", [0, 100000, 5 * 1024 * 1024, ""])
def test_files_that_spill(web, memory):
    one, two = bytes(range(256)) * 12000, bytes(range(255)) * 9000
    before = web.open_files()
    with web.connect() as c:
        got = c.ask("POST", f"/form?memory={memory}", multipart(("v", b"1"), ("f", one, "1"), ("f", two, "2")), FORM).json()
        for file, content in zip(got["files"]["f"], (one, two)):
            assert file["size"] == len(content) and file["digest"] == digest(content) and file["second"] == digest(content)
    # The temporary file was never to be seen, and is gone.
    end = time.monotonic() + 10
    while web.open_files() > before and time.monotonic() < end:
        time.sleep(0.02)
    assert web.open_files() <= before


def test_a_form_in_bits(web):
    body = multipart(("a", b"1"), ("f", b"content", "x"))
    with web.connect() as c:
        c.send(f"POST /form HTTP/1.1\r\nHost: test\r\n{FORM[0]}\r\nTransfer-Encoding: chunked\r\n\r\n")
        for i in range(0, len(body), 3):
            part = body[i:i + 3]
            c.send(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        c.send("0\r\n\r\n")
        got = c.answer().json()
    assert got["values"] == {"a": "1"} and got["files"]["f"][0]["content"] == "content"


@pytest.mark.parametrize("headers, body, error, cause", [
    (["Content-Type: text/plain"], b"x", "content type is not multipart/form-data", None),
    ([], b"x", "content type is not multipart/form-data", None),
    (["Content-Type: multipart/form-data"], b"x", "failed to parse multipart form", "no usable boundary"),
    (FORM, b"", "failed to parse multipart form", "ends before the last boundary"),
    (FORM, multipart(("a", b"1"))[:-8], "failed to parse multipart form", "ends before the last boundary"),
    (FORM, multipart(*[("a", b"1")] * 1001), "failed to parse multipart form", "too many parts"),
    (FORM, multipart(("a", b"x" * (10 * 1024 * 1024 + 1001))), "failed to parse multipart form", "too large"),
])
def test_a_form_that_is_none(web, headers, body, error, cause):
    e = web.ask("POST", "/form?memory=1000", body, headers).json()["error"]
    assert e["kind"] == ("Internal" if cause else "Invalid") and e["message"] == error and e["retryable"] is False
    assert cause is None or cause in e["cause"], e


def test_a_form_of_a_thousand_parts(web):
    got = web.ask("POST", "/form", multipart(*[("a", b"%d" % i) for i in range(1000)]), FORM).json()
    assert got["values"]["a"] == [str(i) for i in range(1000)]


def test_a_form_after_the_body(web):
    e = web.ask("POST", "/form?first=body", multipart(("a", b"1")), FORM).json()["error"]
    assert e["message"] == "failed to parse multipart form" and e["kind"] == "Internal"


@pytest.mark.parametrize("bytes_sent", [10, 300000])
def test_half_a_form(web, bytes_sent):
    before = web.open_files()
    for _ in range(5):
        with web.connect() as c:
            c.send(f"POST /form?memory=1000 HTTP/1.1\r\nHost: test\r\n{FORM[0]}\r\nContent-Length: 1000000\r\n\r\n")
            c.send(multipart(("f", b"x" * 400000, "x"))[:bytes_sent])
            time.sleep(0.05)
    end = time.monotonic() + 10
    while web.open_files() > before and time.monotonic() < end:
        time.sleep(0.02)
    assert web.open_files() <= before


# -- the response --------------------------------------------------------------------------------------------------------

SNIFFED = "text/plain; charset=utf-8"


@pytest.mark.parametrize("ops, status, content_type, body", [
    ([["write", "hello"]], 200, SNIFFED, b"hello"),
    ([["set_status", 404], ["write", "no"]], 404, SNIFFED, b"no"),
    ([["write", "<html>"]], 200, "text/html; charset=utf-8", b"<html>"),
    ([["write", "<h"], ["write", "tml>"]], 200, "text/html; charset=utf-8", b"<html>"),
    ([["write", "\0\1"]], 200, "application/octet-stream", b"\0\1"),
    ([["set_content_type", "a/b"], ["write", "<html>"]], 200, "a/b", b"<html>"),
    ([["write_json", {"a": [1, "x"]}]], 200, "application/json", b'{"a":[1,"x"]}'),
    ([["set_content_type", "a/b"], ["write_json", [1]]], 200, "application/json", b"[1]"),
    ([["set_status", 404], ["write_json", [1]]], 404, SNIFFED, b"[1]"),
    ([["set_content_type", "application/json"], ["set_status", 404], ["write_json", [1]]], 404, "application/json", b"[1]"),
    ([["write_json", [1]], ["write_json", [2]]], 200, "application/json", b"[1][2]"),
    ([["set_header", "x-THING", "1"]], 200, None, b""),
    ([["set_status", 201]], 201, None, b""),
    ([["write", ""]], 200, None, b""),
    ([["set_header", "Content-Encoding", "x"], ["write", "hello"]], 200, None, b"hello"),
    ([["set_transfer", "chunked"], ["write", "hello"]], 200, None, b"hello"),
    ([["write_many", 5000]], 200, SNIFFED, b"x" * 5000),
    ([["write_many", 3000000], ["write", "y"]], 200, SNIFFED, b"x" * 3000000 + b"y"),
])
def test_responses(web, ops, status, content_type, body):
    a = web.respond(*ops)
    assert (a.status, a["Content-Type"], a.body) == (status, content_type, body), a
    assert a["Date"] and a["Server"] is None


def test_framing(web):
    assert web.respond(["write", "x" * 2000])["Content-Length"] == "2000"
    assert web.respond(["write_many", 2049], ["write", "y"])["Transfer-Encoding"] == "chunked"
    assert web.respond(["write", "x"], ["flush"], ["write", "y"])["Transfer-Encoding"] == "chunked"
    assert web.respond(["set_status", 200])["Content-Length"] == "0"
    with web.connect() as c:
        c.send("GET /late?flush=1&pause=1ms HTTP/1.0\r\n\r\n")
        a = c.answer()
        assert a.body == b"first\nsecond\n" and a["Transfer-Encoding"] is None


def test_headers_are_canonical_and_clean(web):
    a = web.respond(["set_header", "x-some-THING", "a\r\nX-Evil: 1"], ["set_header", "X-Twice", "1"], ["set_header", "x-twice", "2"],
                    ["set_header", "bad name", "1"], ["set_header", "", "1"], ["write", "ok"])
    assert ("X-Some-Thing", "a  X-Evil: 1") in a.fields and a["X-Evil"] is None and a["X-Twice"] == "2"
    assert not [k for k, _ in a.fields if "bad" in k] and a.body == b"ok"


def test_head(web):
    a = web.respond(["set_header", "X-A", "1"], ["write", "hello"], key="head", head=True)
    assert a.status == 200 and a["X-A"] == "1" and a["Content-Length"] in ("5", None)
    assert web.note("head") == ["nil", "nil"]


def test_nothing_after_204(web):
    with web.connect() as c:
        query = urllib.parse.urlencode({"ops": json.dumps([["set_status", 204], ["write", "x"]]), "key": "after204"})
        assert c.ask("GET", "/respond?" + query).status == 204
        assert c.ask("GET", "/note/after204").json()["value"] == ["nil", {"kind": "Internal", "message": "write failed", "retryable": False}]


def invalid(words):
    return {"kind": "Invalid", "message": words, "retryable": False}


@pytest.mark.parametrize("ops, last", [
    ([["set_status", 200], ["set_status", 201]], invalid("cannot set status after headers are sent")),
    ([["write", "x"], ["set_status", 201]], invalid("cannot set status after headers are sent")),
    ([["flush"], ["set_header", "A", "b"]], invalid("cannot set headers after they are sent")),
    ([["set_status", 200], ["set_content_type", "a/b"]], invalid("cannot set content type after headers are sent")),
    ([["write", "x"], ["set_transfer", "chunked"]], invalid("cannot set transfer mode after headers are sent")),
    ([["write", "x"], ["set_transfer", "sse"]], invalid("cannot set transfer mode after headers are sent")),
    ([["set_status", 200], ["write_event", {"name": "a", "data": 1}]], invalid("cannot switch to SSE mode after headers are sent")),
    ([["write", "x"], ["other.set_status", 201]], invalid("cannot set status after headers are sent")),
    ([["write_json", "SPARSE"]], invalid("failed to encode JSON")),
    ([["write_json", "MIXED"]], invalid("failed to encode JSON")),
    ([["write_json", "RECURSIVE"]], invalid("failed to encode JSON")),
    ([["write_event", "EVENT_UNENCODABLE"]], invalid("failed to marshal event data")),
    ([["set_status", 99]], "Invalid"),
    ([["set_status", 1000]], "Invalid"),
    ([["set_transfer", "gzip"]], "invalid transfer type"),
    ([["write_event", {"data": 1}]], "missing event name"),
    ([["write_event", {"name": "", "data": 1}]], "missing event name"),
    ([["write_event", {"name": 5, "data": 1}]], "missing event name"),
    ([["write_event", "EVENT_WITHOUT_DATA"]], "missing event data"),
    ([["write_event", "text"]], "table expected"),
    ([["write"]], "string expected"),
    ([["set_header", "A"]], "string expected"),
    ([["set_status", "many"]], "number expected"),
])
def test_refusals(web, ops, last):
    web.respond(*ops, key="refusal")
    got = web.note("refusal")[-1]
    if isinstance(last, dict):
        assert got == last
    elif last == "Invalid":
        assert got["kind"] == "Invalid"
    else:
        assert last in got["raised"]


def test_a_failed_encoding_writes_nothing(web):
    a = web.respond(["write_json", "SPARSE"], ["set_status", 418], ["write", "x"])
    assert a.status == 418 and a.body == b"x"


def test_transfer_modes(web):
    a = web.respond(["set_transfer", "chunked"], ["write", "x"], ["flush"], ["write", "y"])
    assert a["Transfer-Encoding"] == "chunked" and a["Cache-Control"] == "no-cache" and a.body == b"xy"
    a = web.respond(["set_transfer", "sse"], ["set_status", 201], ["write_event", {"name": "a", "data": "x"}])
    assert a.status == 201 and a["Content-Type"] == "text/event-stream" and a.body == b'event: a\ndata: "x"\n\n'


def test_events(web):
    a = web.respond(["write_event", {"name": "a", "data": {"k": "two\nlines"}}], ["write_event", {"name": "b", "data": False}])
    assert a["Content-Type"] == "text/event-stream" and a["Cache-Control"] == "no-cache"
    assert a.body == b'event: a\ndata: {"k":"two\\nlines"}\n\nevent: b\ndata: false\n\n'


# -- how calls end -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("end, status, body", [
    (None, 500, b"no response sent\n"),
    ("value", 200, b""),
    ("nil", 200, b""),
    ("error", 500, b"an error object\n"),
    ("text", 500, b"a text\n"),
    ("number", 200, b""),
    ("raise", 500, "raised on purpose"),
    ("raise object", 500, b"an object raised\n"),
])
@pytest.mark.parametrize("ops", [[], [["set_content_type", "a/b"]], [["set_transfer", "sse"]]])
def test_outcomes_of_what_was_not_handled(web, end, status, body, ops):
    a = web.respond(*ops, end=end)
    assert a.status == status and (body in a.body.decode() if isinstance(body, str) else a.body == body), a
    if status == 500:
        assert a["Content-Type"] == "text/plain; charset=utf-8" and a["X-Content-Type-Options"] == "nosniff"
    else:
        assert a["Content-Type"] == "application/json"


@pytest.mark.parametrize("end", [None, "value", "nil", "error", "text", "number", "raise"])
@pytest.mark.parametrize("ops, status, body", [
    ([["set_status", 201], ["write", "x"]], 201, b"x"),
    ([["write", "x"]], 200, b"x"),
    ([["set_header", "X-A", "1"]], 200, b""),
    ([["flush"]], 200, b""),
])
def test_outcomes_of_what_was_handled(web, end, ops, status, body):
    a = web.respond(*ops, end=end)
    assert (a.status, a.body) == (status, body), a


def test_a_function_that_is_missing(web):
    a = web.ask("GET", "/missing")
    assert a.status == 500 and a.body == b"no handler registered for target\n"


# -- slow clients, and those who leave -------------------------------------------------------------------------------------

def test_a_slow_client_suspends_the_writer(web, slower):
    size, n = 65536, 1600  # 100 MiB
    before = web.memory()
    with web.connect(receive_buffer=65536) as c:
        c.sock.settimeout(120 * slower)
        c.send(f"GET /flood?size={size}&n={n}&key=flood HTTP/1.1\r\nHost: test\r\n\r\n")
        web.note_becomes("flood", lambda v: v is not None)
        time.sleep(0.7)
        written = web.note("flood")
        time.sleep(0.3)
        # It has stopped, far from the end.
        assert web.note("flood") == written < n / 2
        assert slower > 1 or web.memory() - before < 24 * 1024 * 1024
        a = c.answer()
    assert a.body == b"0123456789abcdef" * (size // 16 * n)
    assert web.note("flood") == "all"


def test_a_slow_client_who_leaves(web):
    with web.connect(receive_buffer=65536) as c:
        c.send("GET /flood?size=65536&n=100000&key=left HTTP/1.1\r\nHost: test\r\n\r\n")
        web.note_becomes("left", lambda v: v is not None)
        time.sleep(0.3)
    time.sleep(0.3)
    written = web.note("left")
    time.sleep(0.3)
    assert web.note("left") == written != "all"


def test_one_long_write(web):
    """A single string larger than what may be pending."""
    with web.connect() as c:
        query = urllib.parse.urlencode({"ops": json.dumps([["write_many", 20000000]]), "key": "long"})
        c.send(f"GET /respond?{query} HTTP/1.1\r\nHost: test\r\n\r\n")
        time.sleep(0.3)
        assert web.note("long") is None
        assert len(c.answer().body) == 20000000
    web.note_becomes("long", lambda v: v == ["nil"])


@pytest.mark.parametrize("path", ["ticks", "waits"])
def test_a_client_who_leaves_ends_the_handler(web, path):
    with web.connect() as c:
        c.send(f"GET /{path}?key=gone-{path} HTTP/1.1\r\nHost: test\r\n\r\n")
        web.note_becomes(f"gone-{path}", lambda v: v and v > 5)
    time.sleep(0.3)
    last = web.note(f"gone-{path}")
    time.sleep(0.3)
    assert web.note(f"gone-{path}") == last
    # A write in the moment of the reset says so itself.
    assert last == "write event failed" if isinstance(last, str) else last < 1000


def test_events_come_as_they_are_written(web):
    with web.connect() as c:
        c.send("GET /ticks?key=stream HTTP/1.1\r\nHost: test\r\n\r\n")
        a = c.head()
        assert a["Content-Type"] == "text/event-stream" and a["Transfer-Encoding"] == "chunked"
        for i in range(1, 4):
            event = b""
            while not event.endswith(b"\n\n"):
                event += c.chunk()
            assert event == b'event: tick\ndata: {"n":%d,"text":"a\\nb"}\n\n' % i or json.loads(event.split(b"data: ")[1])["n"] == i


def test_flushed_bytes_leave_at_once(web):
    with web.connect() as c:
        c.send("GET /late?flush=1&pause=500ms HTTP/1.1\r\nHost: test\r\n\r\n")
        started = time.monotonic()
        assert c.head().status == 200 and c.chunk() == b"first\n" and time.monotonic() - started < 0.45
        assert c.chunk() == b"second\n" and c.chunk() == b""


def test_half_close(web):
    """A client that has said all it has to say still gets its answer."""
    with web.connect() as c:
        c.send("GET /late?pause=200ms HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        c.sock.shutdown(socket.SHUT_WR)
        got = c.rest()
    assert got.startswith(b"HTTP/1.1 ") and b"first\nsecond\n" in got


def test_pipelining(web):
    with web.connect() as c:
        c.send("".join(f"GET /tail/{i} HTTP/1.1\r\nHost: test\r\n\r\n" for i in range(20)))
        assert [c.answer().json()["path"] for _ in range(20)] == [f"/tail/{i}" for i in range(20)]


def test_pipelined_bodies(web):
    with web.connect() as c:
        c.send("".join(f"POST /copy HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\n{i:03}" for i in range(20)))
        assert [c.answer().body for _ in range(20)] == [b"%03d" % i for i in range(20)]


def test_keep_alive_after_an_unread_body(web):
    with web.connect() as c:
        assert c.ask("POST", "/describe/1/of/2", b"x" * 1000).status == 200
        assert c.ask("GET", "/tail/next").json()["path"] == "/tail/next"


# -- who sees the request --------------------------------------------------------------------------------------------------

def test_only_the_call_and_its_coroutines_see_the_request(web):
    got = web.ask("GET", "/inside").json()
    no_context = {"kind": "Internal", "message": "no context available", "retryable": False}
    assert got == {
        "at_load": ["nil", no_context, "nil", no_context], "coroutine": "/inside", "nested": [NO_REQUEST, NO_REQUEST], "nested_error": "none",
        "spawned": {"kind": "Internal", "message": "no HTTP request context found"}, "options_refused": True, "options_ignored": True,
    }


def test_objects_of_an_earlier_request(web):
    with web.connect() as c:
        first = c.ask("GET", "/kept?1").json()
        second = c.ask("GET", "/kept?2").json()
    assert first["path"] == second["path"] == "/kept"
    assert second["old"] == {"path": "nil", "path_error": NO_REQUEST, "body": NO_REQUEST, "write": NO_REQUEST, "status": NO_REQUEST,
                             "text": "http.Request{over}"}


def test_constants(web):
    got = web.ask("GET", "/constants").json()
    assert got["METHOD"] == {m: m for m in ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")}
    assert got["CONTENT"] == {"JSON": "application/json", "FORM": "application/x-www-form-urlencoded", "MULTIPART": "multipart/form-data",
                              "TEXT": "text/plain", "STREAM": "application/octet-stream"}
    assert got["TRANSFER"] == {"CHUNKED": "chunked", "SSE": "sse"}
    assert got["ERROR"] == {e: e for e in ("PARSE_FAILED", "INVALID_STATE", "WRITE_FAILED", "STREAM_ERROR")}
    assert got["STATUS"] == {
        "OK": 200, "CREATED": 201, "ACCEPTED": 202, "NO_CONTENT": 204, "PARTIAL_CONTENT": 206, "MOVED_PERMANENTLY": 301, "FOUND": 302,
        "SEE_OTHER": 303, "NOT_MODIFIED": 304, "TEMPORARY_REDIRECT": 307, "PERMANENT_REDIRECT": 308, "BAD_REQUEST": 400,
        "UNAUTHORIZED": 401, "PAYMENT_REQUIRED": 402, "FORBIDDEN": 403, "NOT_FOUND": 404, "METHOD_NOT_ALLOWED": 405,
        "NOT_ACCEPTABLE": 406, "CONFLICT": 409, "GONE": 410, "UNPROCESSABLE": 422, "TOO_MANY_REQUESTS": 429, "INTERNAL_ERROR": 500,
        "INTERNAL_SERVER_ERROR": 500, "NOT_IMPLEMENTED": 501, "BAD_GATEWAY": 502, "SERVICE_UNAVAILABLE": 503,
        "GATEWAY_TIMEOUT": 504, "VERSION_NOT_SUPPORTED": 505}
    assert all(got["refused"].values()) and len(got["refused"]) == 5 and got["module"] is True


def test_outside_of_a_request(wippy, tmp_path):
    folder = shutil.copytree(PROGRAMS, tmp_path / "web")
    index = folder / "src" / "_index.yaml"
    index.write_text(index.read_text().replace("127.0.0.1:8080", f"127.0.0.1:{free_port()}"))
    r = wippy.run(folder, "run", "direct")
    words = "no HTTP request context found"
    assert r.code == 0 and r.stdout.splitlines() == [f"{words}|{words}", f"Internal|{words}|false"], r


def test_the_server_stops_with_handlers_that_wait(own_web):
    web = own_web()
    with web.connect() as c:
        c.send("GET /waits?key=stop HTTP/1.1\r\nHost: test\r\n\r\n")
        web.note_becomes("stop", lambda v: v)
        web.running.signal()
        started = time.monotonic()
        assert web.running.wait() == 0
        assert time.monotonic() - started < 15
