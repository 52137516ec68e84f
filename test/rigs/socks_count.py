#!/usr/bin/env python3
"""A small SOCKS5 proxy (RFC 1928, 1929, CONNECT only) that keeps a record of who asked for what.

    socks_count.py [--port PORT] [--bind ADDRESS] [--source ADDRESS] [--log FILE] [--host NAME=ADDRESS[:PORT]]...
                   [--refuse HOST=CODE]... [--username NAME --password TEXT]

--log gets one JSON line for each connection, written before the reply is sent:
    {"username": null, "password": null, "atyp": "name", "host": "x.test", "port": 80, "client": "127.0.0.1:40122", "reply": 0}
--source is the address it dials out from, such as 127.0.0.2. --host says where a name leads (a port there replaces the asked one);
with any --host given, other names do not exist. --refuse answers a host with that reply code. Without --username, clients
may come with no credentials or any.
Prints {"port": 40123} when it answers.
"""
import argparse
import asyncio
import collections
import ipaddress
import json
import socket

import rig

NONE, USERPASS, NO_METHOD = 0x00, 0x02, 0xFF
IPV4, NAME, IPV6 = 0x01, 0x03, 0x04
ATYP = {IPV4: "ipv4", NAME: "name", IPV6: "ipv6"}
OK, FAILURE, NET_UNREACHABLE, HOST_UNREACHABLE, REFUSED, BAD_COMMAND, BAD_ATYP = 0, 1, 3, 4, 5, 7, 8
IP_BIND_ADDRESS_NO_PORT = 24
HIGH_WATER = 256 * 1024

Request = collections.namedtuple("Request", "username password atyp host port client")


class Relay(asyncio.Protocol):
    """One side of a joined pair; a full peer makes this side stop reading."""

    def __init__(self):
        self.transport = None
        self.peer = None

    def connection_made(self, transport):
        transport.set_write_buffer_limits(HIGH_WATER)
        self.transport = transport

    def data_received(self, data):
        self.peer.transport.write(data)

    def eof_received(self):
        if self.peer and self.peer.transport.can_write_eof():
            self.peer.transport.write_eof()
        return True

    def pause_writing(self):
        if self.peer:
            self.peer.transport.pause_reading()

    def resume_writing(self):
        if self.peer and not self.peer.transport.is_closing():
            self.peer.transport.resume_reading()

    def connection_lost(self, exc):
        if self.peer:
            self.peer.transport.close()


class Client(Relay):
    """The asking side: negotiation first, then a plain relay."""

    def __init__(self, proxy):
        super().__init__()
        self.proxy = proxy
        self.buffer = bytearray()
        self.step = self.greeting
        self.username = self.password = None
        self.task = None

    def data_received(self, data):
        if self.peer:
            self.peer.transport.write(data)
            return
        self.buffer += data
        # A step takes its message from the buffer and names the next; None means that more bytes are needed.
        while self.step and not self.transport.is_closing():
            following = self.step()
            if following is None:
                return
            self.step = following
        # Dialling: what comes early waits in the socket.

    def eof_received(self):
        return super().eof_received() if self.peer else None

    def connection_lost(self, exc):
        if self.task:
            self.task.cancel()
        super().connection_lost(exc)

    def take(self, n):
        out = bytes(self.buffer[:n])
        del self.buffer[:n]
        return out

    def greeting(self):
        b = self.buffer
        if len(b) < 2 or len(b) < 2 + b[1]:
            return None
        methods = self.take(2 + b[1])[2:]
        if USERPASS in methods:
            self.transport.write(bytes([5, USERPASS]))
            return self.credentials
        if NONE in methods and self.proxy.username is None:
            self.transport.write(bytes([5, NONE]))
            return self.request
        self.transport.write(bytes([5, NO_METHOD]))
        self.transport.close()
        return None

    def credentials(self):
        b = self.buffer
        if len(b) < 2 or len(b) < 3 + b[1] or len(b) < 3 + b[1] + b[2 + b[1]]:
            return None
        self.take(1)
        self.username = self.take(self.take(1)[0]).decode("utf-8", "replace")
        self.password = self.take(self.take(1)[0]).decode("utf-8", "replace")
        if self.proxy.username is not None and (self.username, self.password) != (self.proxy.username, self.proxy.password):
            self.transport.write(b"\x01\x01")
            self.transport.close()
            return None
        self.transport.write(b"\x01\x00")
        return self.request

    def request(self):
        b = self.buffer
        if len(b) < 5:
            return None
        size = {IPV4: 4, IPV6: 16, NAME: 1 + b[4]}.get(b[3])
        if size is None:
            self.reply(BAD_ATYP)
            return None
        if len(b) < 4 + size + 2:
            return None
        _, command, _, atyp = self.take(4)
        raw = self.take(size)
        port = int.from_bytes(self.take(2), "big")
        host = raw[1:].decode("ascii", "replace") if atyp == NAME else str(ipaddress.ip_address(raw))
        peer = self.transport.get_extra_info("peername")
        request = Request(self.username, self.password, ATYP[atyp], host, port, f"{peer[0]}:{peer[1]}")
        if command != 1:
            self.proxy.record(request, BAD_COMMAND)
            self.reply(BAD_COMMAND)
            return None
        self.transport.pause_reading()
        self.task = asyncio.ensure_future(self.connect(request))
        self.step = None
        return None

    def reply(self, code):
        self.transport.write(bytes([5, code, 0, IPV4, 0, 0, 0, 0, 0, 0]))
        if code != OK:
            self.transport.close()

    async def connect(self, request):
        far, code = await self.proxy.dial(request)
        self.proxy.record(request, code)
        if code == OK:
            self.peer, far.peer = far, self
        self.reply(code)
        if code == OK:
            if self.buffer:
                far.transport.write(self.take(len(self.buffer)))
            far.transport.resume_reading()
            self.transport.resume_reading()


class Far(Relay):
    def connection_made(self, transport):
        super().connection_made(transport)
        transport.pause_reading()  # until the reply is on its way


class Proxy:
    def __init__(self, a):
        self.source = a.source
        self.username, self.password = a.username, a.password if a.username is not None else None
        self.hosts = dict(h.lower().split("=", 1) for h in a.host)
        self.refuse = {h: int(code) for h, code in (r.lower().split("=", 1) for r in a.refuse)}
        self.log = open(a.log, "a", encoding="utf-8") if a.log else None

    def record(self, request, code):
        if self.log:
            self.log.write(json.dumps({**request._asdict(), "reply": code}) + "\n")
            self.log.flush()

    async def dial(self, request):
        loop = asyncio.get_running_loop()
        host, port = request.host.lower(), request.port
        if host in self.refuse:
            return None, self.refuse[host]
        if host in self.hosts:
            host, _, other = self.hosts[host].partition(":")
            port = int(other or port)
        elif self.hosts and request.atyp == "name":
            return None, HOST_UNREACHABLE
        sock = None
        try:
            family, _, _, _, address = (await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM))[0]
            sock = socket.socket(family, socket.SOCK_STREAM)
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.source and family == socket.AF_INET:
                # Let connect() choose the port, so that many connections share ports towards different servers.
                sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
                sock.bind((self.source, 0))
            await loop.sock_connect(sock, address)
            _, far = await loop.create_connection(Far, sock=sock)
            return far, OK
        except socket.gaierror:
            code = HOST_UNREACHABLE
        except ConnectionRefusedError:
            code = REFUSED
        except OSError as e:
            code = NET_UNREACHABLE if e.errno == 101 else FAILURE
        if sock:
            sock.close()
        return None, code


async def serve(a):
    loop = asyncio.get_running_loop()
    proxy = Proxy(a)
    server = await loop.create_server(lambda: Client(proxy), a.bind, a.port, backlog=1024)
    rig.ready(port=server.sockets[0].getsockname()[1])
    await loop.run_in_executor(None, rig.until_stdin_closes)
    server.close()


def body():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--port", type=int, default=0, help="default: a free port")
    ap.add_argument("--bind", default="127.0.0.1")
    ap.add_argument("--source")
    ap.add_argument("--log")
    ap.add_argument("--host", action="append", default=[])
    ap.add_argument("--refuse", action="append", default=[])
    ap.add_argument("--username")
    ap.add_argument("--password")
    asyncio.run(serve(ap.parse_args()))


if __name__ == "__main__":
    rig.main(body)
