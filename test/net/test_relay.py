"""websocket_relay and sse_relay: connections that are processes. The programs are those of lua/relay/."""
import contextlib
import json
import re
import shutil
import socket
import threading
import time
from pathlib import Path

import pytest

from relay_client import BINARY, CLOSE, PING, PONG, Events, WebSocket, target
from web import Web, free_port

PROGRAMS = Path(__file__).resolve().parent.parent / "lua" / "relay"
SSE = "X-SSE-Relay"


class Relays(Web):
    def ws(self, path="/connect", header=None, *fields, receive_buffer=None, **query):
        return WebSocket(self, target(path, header, **{"process": "recorder", **query}), *fields, receive_buffer=receive_buffer)

    def sse(self, path="/connect", header=None, *fields, receive_buffer=None, **query):
        return Events(self, target(path, header, **{"as": SSE, "process": "recorder", **query}), *fields, receive_buffer=receive_buffer)

    def note(self, name):
        return self.get(f"/bare/note/{name}").json()

    def becomes(self, name, wanted, seconds=15):
        end = time.monotonic() + seconds * (self.timeout / 20)
        while not wanted(note := self.note(name)):
            assert time.monotonic() < end, note
            time.sleep(0.02)
        return note

    def send(self, to, topic, *values, **more):
        body = {"to": to, "topic": topic, "values": values, **more}
        return self.ask("POST", "/bare/send", body=json.dumps(body).encode()).json()


@contextlib.contextmanager
def serving(wippy, folder, slower, *args, extra=""):
    folder = shutil.copytree(PROGRAMS, folder / "relay")
    port = free_port()
    index = folder / "src" / "_index.yaml"
    index.write_text(index.read_text().replace("127.0.0.1:8080", f"127.0.0.1:{port}") + extra)
    with wippy.start(folder, "run", *args) as program:
        end = time.monotonic() + 15 * slower
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert time.monotonic() < end and program.proc.poll() is None, "".join(program.stderr)
                time.sleep(0.02)
        yield Relays(port, program, 20 * slower)
        if program.proc.poll() is None:
            program.signal()
        assert program.wait() == 0, "".join(program.stderr)[-3000:]


@pytest.fixture(scope="module", params=[1, 2], ids=["one worker", "two workers"])
def web(request, wippy, tmp_path_factory, slower):
    with serving(wippy, tmp_path_factory.mktemp("relay"), slower, "--set", f"supervisor.host.worker_count={request.param}") as w:
        yield w


@pytest.fixture
def own_web(wippy, tmp_path, slower):
    with serving(wippy, tmp_path, slower) as w:
        yield w


@pytest.fixture
def name(request):
    return re.sub(r"\W+", "_", request.node.name)


def topics(note):
    return [m.get("topic") or m.get("event") for m in note if "topic" in m or "event" in m]


# -- WebSocket: life -----------------------------------------------------------------------------------------------------------

def test_join_messages_leave(web, name):
    with web.ws(header={"target_pid": "%PID%", "metadata": {"room": "blue", "n": 1}}, name=name) as ws:
        assert ws.answer.status == 101 and ws.answer["Upgrade"].lower() == "websocket", ws.answer
        assert ws.answer["Sec-WebSocket-Protocol"] is None and ws.answer["Sec-WebSocket-Extensions"] is None
        assert ws.answer["X-WS-Relay"] is None
        ws.put("hällo")
        ws.put(b"\x00\xff\x01")
        ws.put("")
        ws.put("in ", 1, fin=False)
        ws.put("parts", 0)
        ws.put(b"are you there", PING)
        assert ws.frame() == (PONG, b"are you there")
        ws.put(b"\x03\xe8bye", CLOSE)
        opcode, data = ws.frame()
        assert opcode == CLOSE and data.startswith(b"\x03\xe8")
        assert not ws.more()
    note = web.becomes(name, lambda n: topics(n)[-1:] == ["ws.leave"])
    born, join, *messages, leave = note
    pid = join["from"]
    assert re.fullmatch(r"\{app:server\|0x[0-9a-f]+\}", pid)
    assert {m["from"] for m in messages} == {pid} and leave["from"] == pid
    assert join["data"] == leave["data"] == {"client_pid": pid, "metadata": {"room": "blue", "n": 1}}
    assert [(m["topic"], m["data"], m["type"]) for m in messages] == [
        ("ws.message", "hällo", "string"), ("ws.message", messages[1]["data"], "string"), ("ws.message", "", "string"),
        ("ws.message", "in parts", "string")]
    assert len(messages[1]["data"]) == 3


def test_topic_and_no_metadata(web, name):
    with web.ws(header={"target_pid": "%PID%", "message_topic": "chat"}, name=name) as ws:
        ws.put("x")
        note = web.becomes(name, lambda n: topics(n) == ["ws.join", "chat"])
    assert note[1]["data"] == {"client_pid": note[1]["from"]}


@pytest.mark.parametrize("values, frames", [
    ([{"a": [1, 2, {"b": False}]}], ['{"data":{"a":[1,2,{"b":false}]},"topic":"news"}']),
    (["text", 1, 1.5, True], ['{"data":"text","topic":"news"}', '{"data":1,"topic":"news"}', '{"data":1.5,"topic":"news"}',
                              '{"data":true,"topic":"news"}']),
    (['{"json":1}'], ['{"data":"{\\"json\\":1}","topic":"news"}']),
    ([], []),
])
def test_every_payload_is_a_text_frame(web, name, values, frames):
    with web.ws(name=name + str(len(values)) + str(values)[:4]) as ws:
        ws.do("send", topic="news", values=values)
        ws.do("send", topic="end", values=[0])
        got = []
        while (frame := ws.frame()) != (1, b'{"data":0,"topic":"end"}'):
            got.append(frame)
    assert got == [(1, f.encode()) for f in frames]


def test_nil_is_null(web, name):
    with web.ws(name=name) as ws:
        ws.do("send", topic="news", values=[], n=1)
        assert ws.get() == {"data": None, "topic": "news"}


def test_what_cannot_be_json_ends_the_connection(web, name):
    with web.ws(name=name) as ws:
        ws.do("strange")
        assert ws.closing() == (1011, "")


def test_anyone_may_send_and_close(web, name):
    with web.ws(name=name) as ws:
        pid = web.becomes(name, lambda n: len(n) == 2)[1]["from"]
        assert web.send(pid, "ws.send", {"it": "is", "not": "special"}) == {"ok": True}
        assert ws.get() == {"data": {"it": "is", "not": "special"}, "topic": "ws.send"}
        assert "ok" not in web.send(pid, "@pid/events", 1)
        assert web.send(pid, "ws.close", "enough") == {"ok": True}
        assert ws.closing() == (1000, "enough")
    assert topics(web.becomes(name, lambda n: len(n) == 3)) == ["ws.join", "ws.leave"]
    # Gone: what is sent to it is dropped without a word.
    assert web.send(pid, "ws.send", 1) == {"ok": True}


@pytest.mark.parametrize("values, closing", [
    ([], (1000, "Connection closed by server")), (["r" * 123], (1000, "r" * 123)), (["r" * 124], (1011, "")),
    ([{"code": 5}], (1000, '{"code":5}'))])
def test_close_reasons(web, name, values, closing):
    name += f"{len(values)}{len(closing[1])}"
    with web.ws(name=name) as ws:
        ws.do("send", topic="ws.close", values=values)
        assert ws.closing() == closing


def test_heartbeat(web, name):
    with web.ws(header={"target_pid": "%PID%", "heartbeat_interval": "60ms", "metadata": {"k": "v"}}, name=name) as ws:
        ws.put("one")
        note = web.becomes(name, lambda n: topics(n).count("ws.heartbeat") >= 2)
    beat = [m for m in note if m.get("topic") == "ws.heartbeat"][-1]
    assert set(beat["data"]) == {"client_pid", "uptime", "message_count", "metadata"} and beat["data"]["metadata"] == {"k": "v"}
    assert beat["data"]["message_count"] == 1 and re.fullmatch(r"[\d.]+m?s", beat["data"]["uptime"])
    assert beat["from"] == beat["data"]["client_pid"]


@pytest.mark.parametrize("interval", ["nonsense", "0s", "-1s", ""])
def test_heartbeat_defaults_to_half_a_minute(web, name, interval):
    with web.ws(header={"target_pid": "%PID%", "heartbeat_interval": interval}, name=name) as ws:
        time.sleep(0.15)
        ws.put("x")
        assert topics(web.becomes(name, lambda n: "ws.message" in topics(n))) == ["ws.join", "ws.message"]


# -- WebSocket: refusals -------------------------------------------------------------------------------------------------------

def test_without_the_header_the_response_stands(web):
    with WebSocket(web, target("/connect", "", **{"as": "X-Other"}, status=401)) as ws:
        assert ws.answer.status == 401


def test_without_the_middleware_the_header_reaches_the_client(web, name):
    a = web.get(target("/bare/connect", '{"target_pid":"x"}'))
    assert a.status == 200 and a["X-WS-Relay"] == '{"target_pid":"x"}'


@pytest.mark.parametrize("header", ["no json", "[1]", '{"target_pid":5}', '{"target_pid":"%PID%","metadata":"x"}',
                                    '{"target_pid":"%PID%","heartbeat_interval":30}', '{"target_pid":"%PID%","message_topic":"@pid/events"}',
                                    '{"target_pid":"%PID%","message_topic":"' + "t" * 1025 + '"}'])
def test_a_header_of_another_shape(web, header):
    with WebSocket(web, target("/connect", header, process="recorder", name="shape")) as ws:
        assert (ws.answer.status, ws.answer["Content-Length"], ws.answer["X-WS-Relay"]) == (200, "0", None)


@pytest.mark.parametrize("pid, words", [("x", "missing braces"), ("{x}", "missing pipe"), ("", "missing braces")])
def test_bad_pid(web, pid, words):
    a = web.get(target("/connect", {"target_pid": pid}))
    assert (a.status, a.body.decode()) == (400, f"Invalid target PID: invalid pid format: {words}\n")
    assert a["X-WS-Relay"] is None


GOOD = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}


@pytest.mark.parametrize("change, status, words", [
    ({"Upgrade": None, "Connection": None}, 426, 'WebSocket protocol violation: Connection header "" does not contain Upgrade'),
    ({"Connection": "keep-alive"}, 426, 'WebSocket protocol violation: Connection header "keep-alive" does not contain Upgrade'),
    ({"Upgrade": "h2c"}, 426, 'WebSocket protocol violation: Upgrade header "h2c" does not contain websocket'),
    ({"Upgrade": "websockets"}, 426, 'WebSocket protocol violation: Upgrade header "websockets" does not contain websocket'),
    ({"method": "POST"}, 405, 'WebSocket protocol violation: handshake request method is not GET but "POST"'),
    ({"Sec-WebSocket-Version": "8"}, 400, 'unsupported WebSocket protocol version (only 13 is supported): "8"'),
    ({"Sec-WebSocket-Version": None}, 400, 'unsupported WebSocket protocol version (only 13 is supported): ""'),
    ({"Sec-WebSocket-Key": None}, 400, "WebSocket protocol violation: missing Sec-WebSocket-Key"),
    ({"Sec-WebSocket-Key": "short"}, 400, 'WebSocket protocol violation: invalid Sec-WebSocket-Key "short", must be a 16 byte base64 encoded string'),
    ({"Sec-WebSocket-Key": "!" * 24}, 400, "WebSocket protocol violation: invalid Sec-WebSocket-Key"),
    ({"Again: Sec-WebSocket-Key": "x"}, 400, "WebSocket protocol violation: multiple Sec-WebSocket-Key headers"),
    ({"Origin": "http://evil.test"}, 403, 'request Origin "http://evil.test" is not authorized for Host "web.test"'),
    ({"version": "HTTP/1.0"}, 426, "WebSocket protocol violation: handshake request must be at least HTTP/1.1"),
])
def test_bad_upgrades(web, change, status, words):
    fields = {**GOOD, **change}
    method, version = fields.pop("method", "GET"), fields.pop("version", "HTTP/1.1")
    lines = [f"{method} {target('/connect', process='recorder', name='refused')} {version}", "Host: web.test"]
    lines += [f"{k.removeprefix('Again: ')}: {v}" for k, v in fields.items() if v is not None]
    if method == "POST":
        lines.append("Content-Length: 0")
    with web.connect() as s:
        s.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        data = b""
        while words.encode() not in data:
            chunk = s.recv(65536)
            assert chunk, data
            data += chunk
    head = data.split(b"\r\n\r\n")[0].decode()
    assert head.startswith(f"HTTP/1.1 {status} ") and "X-WS-Relay" not in head, head
    if status == 426 and version == "HTTP/1.1":
        assert "\r\nUpgrade: websocket" in head
    if "Version" in str(change):
        assert "\r\nSec-WebSocket-Version: 13" in head


@pytest.mark.parametrize("path, origin, allowed", [
    ("/connect", "http://web.test", True), ("/connect", "https://WEB.TEST", True), ("/connect", "http://web.test:81", False),
    ("/connect", "null", False),
    ("/origins/connect", "https://a.example.com", True), ("/origins/connect", "http://A.EXAMPLE.com", True),
    ("/origins/connect", "https://example.com", False), ("/origins/connect", "https://a.example.com:8443", False),
    ("/origins/connect", "https://app.test:8443", True), ("/origins/connect", "http://app.test:8443", False),
    ("/origins/connect", "http://web.test", True), ("/origins/connect", "https://a.example.com.evil.test", False)])
def test_origins(web, path, origin, allowed):
    with web.ws(path, None, f"Origin: {origin}", name="origins") as ws:
        assert ws.answer.status == (101 if allowed else 403)


def test_target_that_does_not_run(web):
    for pid in ["{app:processes|0xfffff}", "{app:nowhere|0x00001}"]:
        with WebSocket(web, target("/connect", {"target_pid": pid})) as ws:
            assert ws.answer.status == 101
            assert ws.closing() == (1000, "Failed to monitor target PID")


def test_committed_responses_stand(web, name):
    with web.ws(name=name, status=204) as ws:
        assert ws.answer.status == 204 and ws.answer["X-WS-Relay"] is None
    with web.ws(name=name, error=1) as ws:
        assert ws.answer.status == 200 and ws.answer["X-WS-Relay"] is None


def test_message_limit(web, name):
    with web.ws(name=name) as ws:
        ws.put("m" * 32768)
        web.becomes(name, lambda n: "ws.message" in topics(n))
        ws.put("m" * 32769)
        assert ws.closing()[0] == 1009
    assert topics(web.becomes(name, lambda n: "ws.leave" in topics(n))) == ["ws.join", "ws.message", "ws.leave"]
    with web.ws("/around/connect", name=name + "_small") as ws:
        ws.put("m" * 100)
        ws.put("m" * 101)
        assert ws.closing()[0] == 1009


def test_breach_of_protocol(web, name):
    with web.ws(name=name) as ws:
        ws.sock.sendall(b"\x81\x01x")  # not masked
        assert ws.closing()[0] == 1002
    with web.ws(name=name + "_text") as ws:
        ws.put(b"\xff\xfe", 1)
        assert ws.closing()[0] == 1007


# -- WebSocket: control and ends -----------------------------------------------------------------------------------------------

def test_control(web, name):
    other = name + "_other"
    with web.ws(name=other), web.ws(header={"target_pid": "%PID%", "metadata": {"a": 1}}, name=name) as ws:
        to = web.becomes(other, lambda n: len(n) == 2)[0]["born"]
        pid = web.becomes(name, lambda n: len(n) == 2)[1]["from"]
        web.send(pid, "ws.control", {"message_topic": "chat", "metadata": {"b": 2}})
        web.send(pid, "ws.control", {"message_topic": "", "metadata": {}, "heartbeat_interval": "", "target_pid": ""})
        web.send(pid, "ws.control", "not a table")
        web.send(pid, "ws.control", {"target_pid": 5})
        web.send(pid, "ws.control", {"target_pid": "nonsense", "heartbeat_interval": "50ms"})
        ws.put("still here")
        assert topics(web.becomes(name, lambda n: "ws.heartbeat" in topics(n)))[1] == "chat"
        web.send(pid, "ws.control", {"target_pid": to, "heartbeat_interval": "1h", "metadata": {"c": 3}})
        left = web.becomes(name, lambda n: topics(n)[-1] == "ws.leave")
        assert left[-1]["data"] == {"client_pid": pid, "metadata": {"c": 3}}
        joined = web.becomes(other, lambda n: len(n) == 3)
        assert joined[-1]["topic"] == "ws.join" and joined[-1]["data"] == {"client_pid": pid, "metadata": {"c": 3}}
        web.send(pid, "ws.control", {"target_pid": to})
        ws.put("and there")
        assert topics(web.becomes(other, lambda n: len(n) == 4))[-1] == "chat"
        # The one it left may end.
        web.send(None, "do", {"do": "die"}, named=name)
        ws.put("on and on")
        assert topics(web.becomes(other, lambda n: len(n) == 5))[-1] == "chat"
        web.send(pid, "ws.control", {"target_pid": "{app:processes|0xfffff}"})
        assert ws.closing() == (1000, "Failed to monitor new target PID")
    assert topics(web.becomes(other, lambda n: len(n) >= 6))[-2:].count("ws.leave") >= 1


@pytest.mark.parametrize("how", ["leave", "die"])
def test_target_ends(web, name, how):
    with web.ws(name=name) as ws:
        ws.do("send", topic="last", values=["words"])
        ws.do(how)
        assert ws.get() == {"data": "words", "topic": "last"}
        assert ws.closing() == (1000, "target process exited")


def test_target_is_terminated_while_messages_come(web, name):
    with web.ws(name=name) as ws:
        pid = web.becomes(name, lambda n: len(n) == 2)[0]["born"]
        web.send(pid, "", terminate=True)
        with contextlib.suppress(OSError):
            for _ in range(20):
                ws.put("x")
        assert ws.closing() == (1000, "target process exited")


@pytest.mark.parametrize("how", ["close", "end", "reset"])
def test_client_goes(web, name, how):
    with web.ws(name=name) as ws:
        ws.do("watch")
        web.becomes(name, lambda n: "watching" in n[-1])
        if how == "close":
            ws.put(b"", CLOSE)
        elif how == "end":
            ws.sock.close()
        else:
            ws.reset()
    note = web.becomes(name, lambda n: len(topics(n)) == 4)
    assert sorted(topics(note)[2:]) == ["pid.exit", "ws.leave"]
    exit, = (m for m in note if "event" in m)
    assert exit["from"] == note[1]["from"] and exit["value"] == "websocket connection closed"


def test_clients_that_vanish_are_looked_for(web, name):
    """Nothing is written to an idle connection: TCP must ask by itself."""
    with web.ws(name=name) as ws:
        web.becomes(name, lambda n: len(n) == 2)
        peer = f":{ws.sock.getsockname()[1]:04X}"
        fields, = (f for f in (line.split() for line in Path("/proc/net/tcp").read_text().splitlines())
                   if f[2].endswith(peer) and f[3] == "01")  # established; ports come round again
        assert fields[5].startswith("02:"), fields  # the keepalive timer runs


def test_connection_is_canceled_or_terminated(web, name):
    with web.ws(name=name) as ws:
        pid = web.becomes(name, lambda n: len(n) == 2)[1]["from"]
        assert web.send(pid, "", cancel="5s") == {"ok": True}
        assert ws.closing()[0] == 1001
    with web.ws(name=name + "_hard") as ws:
        pid = web.becomes(name + "_hard", lambda n: len(n) == 2)[1]["from"]
        assert web.send(pid, "", terminate=True) == {"ok": True}
        assert not ws.more()
    assert topics(web.becomes(name + "_hard", lambda n: len(n) == 3))[-1] == "ws.leave"


def test_the_client_waits_for_a_target_that_is_behind(web, name):
    """The target takes two messages and sleeps: TCP fills up; then everything arrives, in order."""
    n = 1000
    with web.ws(name=name, host="narrow") as ws:
        ws.do("sleep", how="700ms")
        ws.sock.setblocking(False)
        stuck = False
        ws.sock.settimeout(0.3)
        sent = 0
        try:
            for sent in range(n):
                ws.put(f"{sent:05}" + "p" * 32000)
        except TimeoutError:
            stuck = True
        ws.sock.settimeout(web.timeout)
        assert stuck
        # A frame may have been cut in the middle: the connection is of no use for more.
    note = web.becomes(name, lambda n: topics(n)[-1] == "ws.leave", 30)
    got = [m["data"][:5] for m in note if m.get("topic") == "ws.message"][1:]
    assert got == [f"{i:05}" for i in range(len(got))] and len(got) > 10


def test_a_slow_reader_pushes_back_on_the_sender(web, name):
    upto = 3000
    with web.ws(name=name, receive_buffer=4096) as ws:
        ws.do("count", upto=upto, size=4000)
        time.sleep(0.5)
        assert not any("sent" in m for m in web.note(name))
        for i in range(1, upto + 1):
            assert ws.get()["data"]["n"] == i
        web.becomes(name, lambda n: "sent" in n[-1])


def test_a_reader_that_never_reads_is_cut(web, name):
    with web.ws("/impatient/connect", name=name, receive_buffer=4096) as ws:
        ws.do("count", upto=5000, size=4000)
        note = web.becomes(name, lambda n: "ws.leave" in topics(n), 15)
        assert {"sent": 5000} in note


# -- WebSocket: many -----------------------------------------------------------------------------------------------------------

def test_chat_room(web, name):
    def join(nick):
        return web.ws(header={"target_pid": "%PID%", "metadata": {"nick": nick}}, process="room", name=name)

    with join("ann") as ann, join("bob") as bob:
        ann.put("hello")
        assert ann.get() == {"data": {"by": "ann", "text": "hello", "n": 1}, "topic": "said"}
        # Whoever hears himself is there for all that follows.
        bob.put("hi")
        while bob.get()["data"]["text"] != "hi":
            pass
        assert ann.get() == {"data": {"by": "bob", "text": "hi", "n": 2}, "topic": "said"}
        for n in range(100):
            ann.put(f"a{n}")
            bob.put(f"b{n}")
        heard = [[ws.get()["data"] for _ in range(200)] for ws in (ann, bob)]
        assert heard[0] == heard[1]
        for nick, letter in [("ann", "a"), ("bob", "b")]:
            assert [m["text"] for m in heard[0] if m["by"] == nick] == [f"{letter}{n}" for n in range(100)]
        bob.reset()
        # The room goes on without him.
        ann.put("alone")
        assert ann.get()["data"]["text"] == "alone"


def test_a_thousand_connections(web, name, slower):
    many, each = (1000 if slower == 1 else 200), 20
    with contextlib.ExitStack() as stack:
        all_of_them = [stack.enter_context(web.ws(process="echo", name=name)) for _ in range(many)]
        assert all(ws.answer.status == 101 for ws in all_of_them)
        for n in range(each):
            for k, ws in enumerate(all_of_them):
                ws.put(f"{k}:{n}")
        for k, ws in enumerate(all_of_them):
            assert [ws.get()["data"] for _ in range(each)] == [f"{k}:{n}" for n in range(each)]
        all_of_them[0].put("all")
        for ws in all_of_them:
            assert ws.get() == {"data": many, "topic": "all"}


def test_server_stops(own_web, name):
    with own_web.ws(name=name) as one, own_web.ws(name=name) as two, own_web.sse(name=name) as stream:
        own_web.becomes(name, lambda n: len(n) == 4)
        began = time.monotonic()
        own_web.program.signal()
        assert one.closing() == (1001, "server is stopping")
        # One that does not answer is not waited for without end.
        assert two.frame()[0] == CLOSE
        assert stream.event() is None
        assert own_web.program.wait() == 0
        assert time.monotonic() - began < 5 * (own_web.timeout / 20)


# -- events --------------------------------------------------------------------------------------------------------------------

def test_managed_stream(web, name):
    with web.sse(header={"target_pid": "%PID%", "metadata": {"m": 1}, "message_topic": "news"}, name=name) as s:
        a = s.answer
        assert (a.status, a["Content-Type"], a["Cache-Control"], a["X-Accel-Buffering"], a["X-SSE-Relay"]) == \
            (200, "text/event-stream", "no-cache", "no", None)
        born, join = web.becomes(name, lambda n: len(n) == 2)
        pid = join["from"]
        assert join["topic"] == "sse.join" and join["data"] == {"client_pid": pid, "metadata": {"m": 1}}
        web.send(pid, "other", "dropped")
        web.send(pid, "news", "hi", {"a": [1]}, 3, None, n=4)
        web.send(pid, "news", "line\nend")
        assert [s.event() for _ in range(5)] == [("news", "hi"), ("news", {"a": [1]}), ("news", 3), ("news", None), ("news", "line\nend")]
    leave = web.becomes(name, lambda n: len(n) == 3)[2]
    assert leave["topic"] == "sse.leave" and leave["data"] == join["data"]


def test_detached_stream(web, name):
    with web.sse(header={"metadata": {"m": 1}}, name=name) as s:
        event, ready = s.event()
        pid = ready.pop("stream_pid")
        assert (event, ready) == ("ready", {"metadata": {"m": 1}, "message_topic": "sse.message"})
        assert web.send(pid, "sse.message", 1)["ok"]
        assert s.event() == ("sse.message", 1)
        born = web.note(name)[0]["born"]
        # A producer attaches later, and is let go again; the stream stays.
        web.send(pid, "sse.control", {"target_pid": born, "metadata": {}})
        assert web.becomes(name, lambda n: len(n) == 2)[1]["data"] == {"client_pid": pid}
        web.send(pid, "sse.control", {"target_pid": ""})
        assert topics(web.becomes(name, lambda n: len(n) == 3)) == ["sse.join", "sse.leave"]
        web.send(born, "do", {"do": "die"})
        web.send(pid, "sse.message", 2)
        assert s.event() == ("sse.message", 2)
        web.send(pid, "sse.close", "that was all")
        assert s.event() == ("done", {"reason": "that was all"}) and s.event() is None


def test_star_forwards_all_but_what_is_reserved(web, name):
    with web.sse(header={"message_topic": "*"}, name=name) as s:
        pid = s.event()[1]["stream_pid"]
        for topic in ["a", "sse.join", "sse.leave", "sse.heartbeat", "sse.control", "sse.message", "two\nlines: x\r"]:
            web.send(pid, topic, topic)
        assert [s.event() for _ in range(3)] == [("a", "a"), ("sse.message", "sse.message"), ("two lines: x ", "two\nlines: x\r")]
        web.send(pid, "sse.close")
        assert s.event() == ("done", {"reason": "closed by server"}) and s.event() is None


def test_stream_control(web, name):
    with web.sse(header={"target_pid": "%PID%", "heartbeat_interval": "0s"}, name=name) as s:
        pid = web.becomes(name, lambda n: len(n) == 2)[1]["from"]
        web.send(pid, "sse.control", "no table")
        web.send(pid, "sse.control", {"message_topic": "t", "heartbeat_interval": "x", "idle_timeout": "-1s", "hard_timeout": 5,
                                      "target_pid": "bad"})
        web.send(pid, "t", 1)
        assert s.event() == ("t", 1)
        web.send(pid, "sse.control", {"message_topic": "", "target_pid": "{app:processes|0xfffff}"})
        web.send(pid, "sse.message", 2)
        assert s.event() == ("sse.message", 2)
        web.send(pid, "sse.control", {"heartbeat_interval": "40ms", "metadata": {"late": True}})
        assert s.get() == {"": "ping"} and s.get() == {"": "ping"}
        note = web.becomes(name, lambda n: topics(n).count("sse.heartbeat") >= 2)
        assert note[-1]["data"]["message_count"] == 2 and note[-1]["data"]["metadata"] == {"late": True}
        web.send(pid, "sse.control", {"heartbeat_interval": "", "hard_timeout": "50ms"})
        assert s.event() == ("done", {"reason": "hard timeout"}) and s.event() is None
    assert topics(web.becomes(name, lambda n: topics(n)[-1] == "sse.leave"))[0] == "sse.join"


def test_idle_timeout(web, name):
    with web.sse(header={"target_pid": "%PID%", "idle_timeout": "400ms"}, name=name) as s:
        pid = web.becomes(name, lambda n: len(n) == 2)[1]["from"]
        for i in range(5):
            web.send(pid, "sse.message", i)
            assert s.event() == ("sse.message", i)
            time.sleep(0.12)
        assert s.event() == ("done", {"reason": "idle timeout"}) and s.event() is None


def test_target_of_a_stream_ends(web, name):
    with web.sse(header={"target_pid": "%PID%"}, name=name) as s:
        web.becomes(name, lambda n: len(n) == 2)
        web.send(None, "do", {"do": "send", "topic": "sse.message", "values": ["last"]}, named=name)
        web.send(None, "do", {"do": "die"}, named=name)
        assert s.event() == ("sse.message", "last")
        assert s.event() == ("done", {"reason": "target process exited"}) and s.event() is None


@pytest.mark.parametrize("header, status, words", [
    ("no json", 400, "invalid relay configuration: "), ("[]", 400, "invalid relay configuration: "),
    ({"target_pid": 5}, 400, "invalid relay configuration: "), ({"metadata": "x"}, 400, "invalid relay configuration: "),
    ({"heartbeat_interval": "x"}, 400, 'invalid heartbeat_interval duration: "x"'),
    ({"heartbeat_interval": "-1s"}, 400, 'heartbeat_interval duration must be non-negative: "-1s"'),
    ({"idle_timeout": "x"}, 400, 'invalid idle_timeout duration: "x"'),
    ({"hard_timeout": "-1s"}, 400, 'hard_timeout duration must be non-negative: "-1s"'),
    ({"target_pid": "x"}, 400, 'invalid target PID: "x"'), ({"target_pid": "{app:processes|0xfffff}"}, 404, "pid not registered")])
def test_streams_refused(web, name, header, status, words):
    with web.sse(header=header) as s:
        assert s.answer.status == status and s.body.decode().startswith(words), (s.answer, s.body)
        assert s.answer["X-SSE-Relay"] is None


@pytest.mark.parametrize("path, origin, proto, allowed", [
    ("/connect", "http://web.test", None, True), ("/connect", "https://web.test", None, False),
    ("/connect", "https://web.test", "https", True), ("/connect", "http://other.test", None, False),
    ("/origins/connect", "https://a.example.com", None, True), ("/origins/connect", "http://a.example.com", None, False),
    ("/origins/connect", "http://web.test", None, False)])
def test_origins_of_streams(web, path, origin, proto, allowed):
    fields = [f"Origin: {origin}"] + ([f"X-Forwarded-Proto: {proto}"] if proto else [])
    with web.sse(path, {}, *fields) as s:
        assert s.answer.status == (200 if allowed else 403)
        assert allowed or s.body == b"origin is not allowed\n"


def test_streams_passed_over(web, name):
    with web.sse(header={}, name=name, late=202) as s:
        assert s.answer.status == 202 and s.answer["X-SSE-Relay"] is None
    with web.sse(header={}, name=name, body="a body") as s:
        assert (s.answer.status, s.body) == (200, b"a body")
    # A status of 200 is no reason.
    with web.sse(header={}, name=name, late=200, type="text/event-stream; charset=utf-8") as s:
        assert s.answer["Content-Type"] == "text/event-stream; charset=utf-8"
        assert s.event()[0] == "ready"
    a = web.ask("HEAD", target("/connect", {}, **{"as": SSE}))
    assert a.status == 200


@pytest.mark.parametrize("how", ["end", "reset"])
def test_client_of_a_stream_goes(web, name, how):
    with web.sse(header={"target_pid": "%PID%", "heartbeat_interval": "20ms"}, name=name) as s:
        web.becomes(name, lambda n: len(n) >= 2)
        web.send(None, "do", {"do": "watch"}, named=name)
        if how == "reset":
            s.reset()
    note = web.becomes(name, lambda n: {"pid.exit", "sse.leave"} <= set(topics(n)))
    assert [m["value"] for m in note if "event" in m] == ["sse relay closed"]


def test_a_slow_reader_of_events_pushes_back(web, name):
    upto = 3000
    with web.sse(header={"target_pid": "%PID%", "message_topic": "n"}, name=name, receive_buffer=4096) as s:
        web.becomes(name, lambda n: len(n) == 2)
        web.send(None, "do", {"do": "count", "upto": upto, "size": 4000}, named=name)
        time.sleep(0.5)
        assert not any("sent" in m for m in web.note(name))
        for i in range(1, upto + 1):
            assert s.event()[1]["n"] == i
        web.becomes(name, lambda n: "sent" in n[-1])


def test_a_reader_of_events_that_never_reads_is_cut(web, name):
    with web.sse("/impatient/connect", {"target_pid": "%PID%", "message_topic": "n"}, name=name, receive_buffer=4096):
        web.becomes(name, lambda n: len(n) == 2)
        web.send(None, "do", {"do": "count", "upto": 5000, "size": 4000}, named=name)
        assert {"sent": 5000} in web.becomes(name, lambda n: "sse.leave" in topics(n) and "sent" in str(n))


def test_coming_back_with_the_last_id(web, name):
    with web.sse(name=name):
        pass
    with web.sse("/connect", {}, "Last-Event-ID: 41", name=name) as s:
        assert s.answer.status == 200
        note = web.becomes(name, lambda n: any((m.get("data") or {}).get("metadata") == {"last": "41"} for m in n if isinstance(m.get("data"), dict)))
        assert note
    with Events(web, "/bare/events", "Last-Event-ID: 7") as s:
        assert s.get() == {"retry": "50"}
        assert [s.get() for _ in range(3)] == [{"id": str(i), "event": "tick", "data": f'{{"n":{i}}}'} for i in (8, 9, 10)]


def test_relays_inside_of_everything(web, name):
    """metrics, sendfile and the rest around them do no harm."""
    with web.ws("/around/connect", None, "Accept-Encoding: gzip", name=name) as ws:
        assert ws.answer.status == 101 and ws.answer["X-WS-Relay"] is None
        ws.do("send", topic="t", values=[1])
        assert ws.get() == {"data": 1, "topic": "t"}
    with web.sse("/around/connect", {}, name=name) as s:
        assert s.event()[0] == "ready"


def test_the_host(web, name):
    """A server's connections are processes of its host, where nothing else runs."""
    assert web.send("{app:server|0xfffffff}", "t", 1) == {"ok": True}
    assert web.send("{app:nonesuch|0xfffffff}", "t", 1)["message"] == "host not found"


@pytest.mark.parametrize("host, words", [
    ("{ buffer_size: -1 }", "buffer size must be non-negative"), ("{ worker_count: -1 }", "worker count must be non-negative"),
    ("{ buffer_size: many }", "failed to unmarshal config")])
def test_host_settings(wippy, tmp_path, host, words):
    folder = shutil.copytree(PROGRAMS, tmp_path / "relay")
    index = folder / "src" / "_index.yaml"
    index.write_text(index.read_text().replace("{ buffer_size: 50, worker_count: 2 }", host))
    r = wippy.run(folder, "run")
    assert r.code != 0 and "invalid configuration: " in r.stderr and words in r.stderr, r


def test_a_client_that_others_wrote(web, name):
    client = pytest.importorskip("websockets.sync.client", reason="websockets is not installed")
    url = f"ws://127.0.0.1:{web.port}" + target("/connect", process="echo", name=name)
    with client.connect(url) as one, client.connect(url) as two:
        for ws in (one, two):
            for i in range(50):
                ws.send(f"{i}")
            assert [json.loads(ws.recv())["data"] for _ in range(50)] == [str(i) for i in range(50)]
        one.send(b"bytes")
        assert json.loads(one.recv()) == {"data": "bytes", "topic": "echo"}
        one.ping().wait(5)
