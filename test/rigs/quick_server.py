#!/usr/bin/env python3
"""A bare HTTP server for load: every request gets the same short answer, as fast as one epoll loop in Python can give it.

    quick_server.py [--port PORT] [--size BYTES]

Kept-alive HTTP/1.1, requests without a body. GET /stats is answered with
    {"connections": 3, "open": 2, "requests": 60000}
counted without the asking connection and its request.
Prints {"port": 40123} when it answers.
"""
import argparse
import json
import select
import socket
import threading

import rig

END = b"\r\n\r\n"


def answer(body):
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


class Server:
    def __init__(self, listener, size):
        self.listener = listener
        self.fixed = answer(b"x" * size)
        self.epoll = select.epoll()
        self.epoll.register(listener.fileno(), select.EPOLLIN)
        self.clients = {}
        self.partial = {}
        self.connections = self.requests = 0

    def accept(self):
        s, _ = self.listener.accept()
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.clients[s.fileno()] = s
        self.connections += 1
        self.epoll.register(s.fileno(), select.EPOLLIN)

    def drop(self, fd):
        self.partial.pop(fd, None)
        self.clients.pop(fd).close()

    def stats(self, s):
        self.connections -= 1
        s.sendall(answer(json.dumps({"connections": self.connections, "open": len(self.clients) - 1, "requests": self.requests})
                         .encode()))

    def read(self, fd):
        s = self.clients[fd]
        try:
            data = self.partial.pop(fd, b"") + s.recv(65536)
            if not data:
                self.drop(fd)
            elif data.startswith(b"GET /stats "):
                self.stats(s)
            else:
                n = data.count(END)
                rest = data[data.rfind(END) + 4:] if n else data
                if rest:
                    self.partial[fd] = rest
                self.requests += n
                if n:
                    s.sendall(self.fixed * n)
        except OSError:
            self.drop(fd)

    def run(self):
        mine = self.listener.fileno()
        while True:
            for fd, _ in self.epoll.poll():
                if fd == mine:
                    self.accept()
                else:
                    self.read(fd)


def body():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--port", type=int, default=0, help="default: a free port")
    ap.add_argument("--size", type=int, default=2)
    a = ap.parse_args()
    with socket.create_server(("127.0.0.1", a.port), backlog=1024) as listener:
        threading.Thread(target=Server(listener, a.size).run, daemon=True).start()
        rig.ready(port=listener.getsockname()[1])
        rig.until_stdin_closes()


if __name__ == "__main__":
    rig.main(body)
