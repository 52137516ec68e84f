"""The server's WebSockets, end to end through websocket_relay, against everything a client may and may not send: websocket_cases.py, and compression that was never agreed on.

A process says every message back; since the relay puts it into JSON text, as base64.
"""
import base64
import json
import os
import socket
import time

import pytest

from web import serving
from websocket_cases import BAD, BYE, Frames, conformance_cases, play, what_is_wrong
from websocket_peer import BINARY, FIN, PING, PONG, RSV1, TEXT, Conn, Gone, accept_key

LIMIT = 1 << 20
CLIENT = Frames(b"\xa5\x5a\x00\xff")

ECHO = """
local base64 = require("base64")
local function main()
  process.registry.register("echo")
  local inbox, events = process.inbox(), process.events()
  while true do
    local got = channel.select({ inbox:case_receive(), events:case_receive() })
    if got.channel == events then return end -- told to stop
    local m = got.value
    if m:topic() == "ws.message" then
      process.send(m:from(), "echo", base64.encode(m:payload():data()))
    end
  end
end
return { main = main }
"""

UPGRADE = """
local http, json = require("http"), require("json")
local function run()
  http.response():set_header("X-WS-Relay", json.encode({ target_pid = process.registry.lookup("echo") }))
end
return { run = run }
"""

ENTRIES = [
    {"name": "processes", "kind": "process.host", "lifecycle": {"auto_start": True}},
    {"name": "echo", "kind": "process.lua", "source": ECHO, "method": "main", "modules": ["base64"]},
    {"name": "echo_service", "kind": "process.service", "process": "echo", "host": "app:processes", "lifecycle": {"auto_start": True}},
    {"name": "sockets", "kind": "http.router", "meta": {"server": "web"}, "post_middleware": ["websocket_relay"],
     "post_options": {"wsrelay.message.limit": str(LIMIT)}},
    {"name": "upgrade", "kind": "function.lua", "source": UPGRADE, "method": "run", "modules": ["http", "json"]},
    {"name": "upgrade_ep", "kind": "http.endpoint", "meta": {"router": "sockets"}, "method": "GET", "path": "/go", "func": "upgrade"},
]

# No extension is agreed on, so RSV1 means nothing, whatever the client had offered.
UNAGREED = {
    "12 compressed": (CLIENT.frame(FIN | RSV1 | TEXT, b"\xf2\x48\xcd\xc9\xc9\x07\x00") + CLIENT.text("a"), [BAD]),
    "12 compressed, in pieces": (CLIENT.frame(RSV1 | BINARY, b"\xf2\x48\xcd") + CLIENT.frame(FIN, b"\xc9\xc9\x07\x00"), [BAD]),
    "12 not compressed": (CLIENT.text("plain") + CLIENT.end, [(TEXT, b"plain"), BYE]),
}


@pytest.fixture(scope="module")
def web(wippy, slower, tmp_path_factory):
    with serving(wippy, tmp_path_factory.mktemp("conformance"), ENTRIES, slower=slower) as w:
        end = time.monotonic() + w.timeout
        while not is_open(w):  # until the process has its name
            assert time.monotonic() < end
            time.sleep(0.02)
        yield w


def connect(web, *fields, early=b""):
    s = web.connect()
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    conn = Conn(s)
    key = base64.b64encode(os.urandom(16)).decode()
    conn.send_bytes("\r\n".join(["GET /go HTTP/1.1", "Host: web.test", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
                                 f"Sec-WebSocket-Key: {key}", *fields, "", ""]).encode() + early)
    conn.read_head()
    if conn.request.startswith("HTTP/1.1 101 "):
        assert conn.field("Sec-WebSocket-Accept") == accept_key(key) and conn.field("Sec-WebSocket-Extensions") is None
    return conn


def is_open(web):
    conn = connect(web)
    conn.s.close()
    return conn.request.startswith("HTTP/1.1 101 ")


def read(conn, came):
    """What the relay said of a message, as if it had come back itself: it keeps no word on whether it was text."""
    assert came.mask is None and came.rsv == 0 and came.fin, came
    if came.opcode == PONG:
        return PONG, came.data
    said = json.loads(came.data)
    assert came.opcode == TEXT and said["topic"] == "echo", came
    return TEXT, base64.b64decode(said["data"])


def as_text(want):
    return [(TEXT, data) if opcode == BINARY else (opcode, data) for opcode, data in want]


def left_at_once(conn):
    """The server is the one that ends the connection (RFC 6455 section 7.1.1), whether or not a client that broke the rules answers."""
    begun = time.monotonic()
    try:
        while True:
            conn.read(1)
    except Gone:
        return time.monotonic() - begun


@pytest.mark.parametrize("cut", ["whole", "in pieces"])
@pytest.mark.parametrize("group, fields", [
    ("plain", []), ("compression offered", ["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"])])
def test_conformance(web, slower, group, fields, cut):
    cases = conformance_cases(CLIENT, LIMIT) if group == "plain" else UNAGREED
    cases = {name: (sent, as_text(want)) for name, (sent, want) in cases.items()}
    got, slow = [], {}
    for name, (sent, want) in cases.items():
        conn = connect(web, *fields)
        try:
            got.append(play(conn, CLIENT, sent, want, cut == "whole", read))
            took = left_at_once(conn)
            if took > 2 * slower:
                slow[name] = took
        except Gone as e:
            got.append(e)
        conn.s.close()
    wrong = what_is_wrong(CLIENT, cases, got)
    assert not wrong, wrong
    assert not slow, slow


def test_frames_that_come_with_the_handshake(web):
    conn = connect(web, early=CLIENT.text("early") + CLIENT.frame(FIN | PING, b"p"))
    got = {read(conn, conn.frame()) for _ in range(2)}
    assert got == {(TEXT, b"early"), (PONG, b"p")}
    conn.s.close()
