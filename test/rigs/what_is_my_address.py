#!/usr/bin/env python3
"""A server that tells who is asking: every GET is answered with {"ip": "<the peer's address>"}.

    what_is_my_address.py [--bind ADDRESS] [--port PORT] [--tls NAME]... [--dir DIRECTORY]

HTTP/1.1, kept alive. With --tls it speaks HTTPS with a certificate for those names (and addresses) from an authority made on
the spot, whose certificate is in DIRECTORY/ca.pem; two servers with one DIRECTORY have one certificate. Paths that tests use:
    /headers   the request's head, as JSON {"head": "..."}
    /close     the same as /, and the connection is closed afterwards
    /bytes/N   N bytes of 'x' (at most 64 MiB)
    /sleep/MS  the answer comes MS milliseconds later
A body is read and counted: {"ip": ..., "received": 5}.
Prints {"port": 40123, "url": "http://127.0.0.1:40123/", "ca": null} when it answers.
"""
import argparse
import asyncio
import ipaddress
import json
import os
import re
import ssl
import subprocess
import tempfile

import rig

HEAD_MAX = 65536
BODY_MAX = BYTES_MAX = 64 * 1024 * 1024


def answer(status, body, close, kind="application/json"):
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    return (head + ("Connection: close\r\n\r\n" if close else "\r\n")).encode() + body


class Server(asyncio.Protocol):
    def __init__(self):
        self.buffer = bytearray()
        self.busy = None

    def connection_made(self, transport):
        self.transport = transport
        self.ip = transport.get_extra_info("peername")[0]

    def connection_lost(self, exc):
        if self.busy:
            self.busy.cancel()

    def data_received(self, data):
        self.buffer += data
        self.turn()

    def turn(self):
        while not self.busy and not self.transport.is_closing():
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self.buffer) > HEAD_MAX:
                    self.transport.close()
                return
            head = self.buffer[:end].decode("latin-1")
            length = re.search(r"(?im)^content-length:[ \t]*(\d+)", head)
            length = int(length.group(1)) if length else 0
            if re.search(r"(?im)^transfer-encoding:", head) or length > BODY_MAX:
                self.transport.write(answer("501 Not Implemented", b"{}", True))
                self.transport.close()
                return
            if len(self.buffer) < end + 4 + length:
                return
            del self.buffer[:end + 4 + length]
            self.handle(head, length)

    def handle(self, head, received):
        path = (head.split("\r\n", 1)[0].split(" ") + ["/"])[1].split("?")[0]
        facts = {"ip": self.ip}
        if received:
            facts["received"] = received
        close = path == "/close" or bool(re.search(r"(?im)^connection:[ \t]*close", head))
        number = re.fullmatch(r"/(bytes|sleep)/(\d{1,9})", path)
        if path == "/headers":
            facts["head"] = head
        body = json.dumps(facts).encode()
        if number and number.group(1) == "bytes":
            self.send(answer("200 OK", b"x" * min(int(number.group(2)), BYTES_MAX), close, "application/octet-stream"), close)
        elif number:
            self.busy = asyncio.ensure_future(self.later(int(number.group(2)) / 1000, answer("200 OK", body, close), close))
        else:
            self.send(answer("200 OK", body, close), close)

    def send(self, data, close):
        self.transport.write(data)
        if close:
            self.transport.close()

    async def later(self, seconds, data, close):
        await asyncio.sleep(seconds)
        self.busy = None
        self.send(data, close)
        self.turn()


def certificates(directory, names):
    """An authority and a certificate for `names` in `directory`: ca.pem, server.pem, server.key. Those there are used again."""
    if os.path.exists(os.path.join(directory, "server.pem")):
        return
    openssl = rig.tool("openssl", "openssl")

    def run(*args):
        r = subprocess.run([openssl, *args], cwd=directory, capture_output=True, text=True, check=False)
        if r.returncode != 0:
            raise rig.Failed(f"openssl {args[0]} failed: {r.stderr.strip()}")

    def is_address(name):
        try:
            ipaddress.ip_address(name)
            return True
        except ValueError:
            return False

    alternatives = ",".join(("IP:" if is_address(n) else "DNS:") + n for n in names)
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    run("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-days", "30", "-subj", "/CN=wippy test authority")
    run("req", *curve, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=wippy test server")
    with open(os.path.join(directory, "ext"), "w", encoding="utf-8") as f:
        f.write(f"subjectAltName={alternatives}\nbasicConstraints=CA:FALSE\n")
    run("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "server.pem",
        "-days", "30", "-extfile", "ext")


async def serve(a):
    context = None
    if a.tls:
        certificates(a.dir, a.tls)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(a.dir, "server.pem"), os.path.join(a.dir, "server.key"))
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Server, a.bind, a.port, ssl=context, backlog=1024)
    port = server.sockets[0].getsockname()[1]
    host = f"[{a.bind}]" if ":" in a.bind else a.bind
    rig.ready(port=port, url=f"{'https' if a.tls else 'http'}://{host}:{port}/", ca=os.path.join(a.dir, "ca.pem") if a.tls else None)
    await loop.run_in_executor(None, rig.until_stdin_closes)
    server.close()


def body():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--bind", default="127.0.0.1")
    ap.add_argument("--port", type=int, default=0, help="default: a free port")
    ap.add_argument("--tls", action="append", default=[])
    ap.add_argument("--dir", help="where the certificates go; default: a temporary directory")
    a = ap.parse_args()
    with rig.scratch("address") if not a.dir else tempfile.TemporaryDirectory() as temporary:
        a.dir = a.dir or temporary
        asyncio.run(serve(a))


if __name__ == "__main__":
    rig.main(body)
