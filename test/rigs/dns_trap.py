#!/usr/bin/env python3
"""A name server on UDP (RFC 1035) that records every question: who looks a name up is seen here.

    dns_trap.py [--bind ADDRESS] [--port PORT] [--log FILE] [--host NAME=ANSWER[,ANSWER]...]...

--log gets one JSON line a question: {"name": "x.test", "type": 1, "client": "127.0.0.1:40122"}. A name given with --host has that
one address (*.x.test stands for every name one step below x.test); with several answers each question gets the next one, from the
first again after the last. An answer of several addresses is written 192.0.2.1+192.0.2.2. Every other name does not exist.
Prints {"port": 53} when it answers.
"""
import argparse
import itertools
import json
import socket
import struct
import threading

import rig

A, IN = 1, 1
NO_ERROR, FORMAT_ERROR, NO_SUCH_NAME = 0, 1, 3
RESPONSE, AUTHORITATIVE, RECURSION = 0x8000, 0x0400, 0x0180


def question(packet):
    """(name, type, end of the question) of a query; ValueError when it is none."""
    if len(packet) < 17 or packet[2] & 0x80:
        raise ValueError("no query")
    labels, at = [], 12
    while packet[at]:
        size = packet[at]
        if size > 63 or at + 1 + size >= len(packet):
            raise ValueError("bad label")
        labels.append(packet[at + 1:at + 1 + size].decode("ascii", "replace"))
        at += 1 + size
    if at + 5 > len(packet):
        raise ValueError("cut short")
    return ".".join(labels).lower(), struct.unpack_from("!H", packet, at + 1)[0], at + 5


def reply(packet, name, kind, end, hosts):
    answers = hosts.get(name) or hosts.get("*." + name.partition(".")[2])
    # A name that exists but has no record of the asked type gets an empty answer, not "no such name".
    code = NO_ERROR if answers else NO_SUCH_NAME
    addresses = next(answers).split("+") if answers and kind == A else []
    head = packet[:2] + struct.pack("!HHHHH", RESPONSE | AUTHORITATIVE | RECURSION | code, 1, len(addresses), 0, 0)
    records = [struct.pack("!HHHIH", 0xC00C, A, IN, 1, 4) + socket.inet_aton(a) for a in addresses]
    return head + packet[12:end] + b"".join(records)


def serve(sock, log, hosts):
    while True:
        packet, client = sock.recvfrom(4096)
        try:
            name, kind, end = question(packet)
        except (ValueError, IndexError):
            continue
        if log:
            log.write(json.dumps({"name": name, "type": kind, "client": f"{client[0]}:{client[1]}"}) + "\n")
            log.flush()
        sock.sendto(reply(packet, name, kind, end, hosts), client)


def body():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--bind", default="127.0.0.1")
    ap.add_argument("--port", type=int, default=0, help="default: a free port")
    ap.add_argument("--log")
    ap.add_argument("--host", action="append", default=[])
    a = ap.parse_args()
    hosts = {name: itertools.cycle(answers.split(",")) for name, answers in (h.lower().split("=", 1) for h in a.host)}
    log = open(a.log, "a", encoding="utf-8") if a.log else None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((a.bind, a.port))
        threading.Thread(target=serve, args=(sock, log, hosts), daemon=True).start()
        rig.ready(port=sock.getsockname()[1])
        rig.until_stdin_closes()


if __name__ == "__main__":
    rig.main(body)
