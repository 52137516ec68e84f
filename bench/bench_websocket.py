#!/usr/bin/env python3
"""Messages over WebSockets on this machine, one thread each: the relay (a Lua process for every connection says its messages back, as {"data": ..., "topic": ...})
beside an echo server in Go with gorilla/websocket, asked by the same client in C; the module websocket as the client of that Go server, beside Go's own client.

Messages of 64 bytes and of 16 KB, 64 connections, and one alone, whose round trips are the latency. All take turns for ROUNDS (default 3) rounds of SECONDS (default 3);
ratios are medians of the rounds' ratios, by the clock and by processor time of the server. WIPPY_BIN is the program to measure;
REAL_TIME=1 gives all of them real-time priority, for a machine that others use.
"""
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

from bench_http_server import REAL_TIME, WIPPY, Servers, free_port, processor

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "websocket")
ROUNDS = int(os.environ.get("ROUNDS", "3"))
SECONDS = int(os.environ.get("SECONDS", "3"))
RELAY, GO = "wippy relay", "Go gorilla"
SIZES = {"64 B": 64, "16 KB": 16384}


def build(folder):
    subprocess.run(["cc", "-O2", "-o", f"{folder}/load", f"{HERE}/load.c"], check=True)
    shutil.copytree(f"{HERE}/project", f"{folder}/project")
    if not shutil.which("go"):
        return False
    os.makedirs(f"{folder}/peer-source")
    for name in ("go.mod", "go.sum", "main.go"):
        shutil.copy(f"{HERE}/{name}", f"{folder}/peer-source")
    return subprocess.run(["go", "build", "-o", f"{folder}/peer", "."], cwd=f"{folder}/peer-source", env=dict(os.environ, GOFLAGS="-mod=mod")).returncode == 0


def output(command, **more):
    out = subprocess.run(REAL_TIME + command, stdout=subprocess.PIPE, text=True, timeout=SECONDS + 120, **more)
    if out.returncode != 0:
        sys.exit(f"bench: {command[0]} failed")
    return [float(n) for n in out.stdout.split()]


def ratio(rounds, a, b, i, upside_down=False):
    return statistics.median((r[b][i] / r[a][i]) if upside_down else (r[a][i] / r[b][i]) for r in rounds)


def servers_side(servers, connections, label, size):
    """Messages a second, round trips, messages for each second of the server's processor time."""
    def one(name):
        before = processor(servers, name)
        got = output([f"{servers.folder}/load", str(servers.ports[name]), str(connections), str(SECONDS), str(size)])
        return [*got, got[0] * SECONDS / max(processor(servers, name) - before, 0.01)]
    rounds = [{name: one(name) for name in servers.ports} for _ in range(ROUNDS + 1)][1:]  # the first warms
    for name in servers.ports:
        speed, p50, p99, p999, each = (statistics.median(r[name][i] for r in rounds) for i in range(5))
        line = (f"{label:6} {connections:3} connections {name:12} {speed:8.0f} messages/s, {1e6 / each:6.1f} us of processor each, "
                f"round trip p50 {p50:6.0f} us, p99 {p99:6.0f}, p99.9 {p999:6.0f}")
        if name != RELAY:
            line += f"   relay / it: {ratio(rounds, RELAY, name, 0):.2f}, by processor time {ratio(rounds, RELAY, name, 4):.2f}, p50 {ratio(rounds, RELAY, name, 1):.2f}"
        print(line, flush=True)


def clients_side(servers, connections, label, size):
    arguments = [f"ws://127.0.0.1:{servers.ports[GO]}/", str(connections), str(SECONDS), str(size)]
    clients = {"wippy": ([WIPPY, "run", "client"], {"cwd": f"{servers.folder}/project"}),
               "Go": (["env", "GOMAXPROCS=1", f"{servers.folder}/peer", "client"], {})}
    rounds = [{name: output(command + arguments, **more) for name, (command, more) in clients.items()} for _ in range(ROUNDS)]
    for name in clients:
        line = f"{label:6} {connections:3} connections, client {name:5} {statistics.median(r[name][0] for r in rounds):8.0f} messages/s"
        print(line + (f"   wippy / it: {ratio(rounds, 'wippy', name, 0):.2f}" if name != "wippy" else ""), flush=True)


def main():
    with tempfile.TemporaryDirectory() as folder:
        servers = Servers(folder)
        try:
            has_go = build(folder)
            port = free_port()
            servers.start(RELAY, [WIPPY, "run", "-o", f"bench:web:addr=127.0.0.1:{port}"], port, cwd=f"{folder}/project")
            if has_go:
                port = free_port()
                servers.start(GO, [f"{folder}/peer", "serve", str(port)], port, env=dict(os.environ, GOMAXPROCS="1"))
            for label, size in SIZES.items():
                for connections in (64, 1):
                    servers_side(servers, connections, label, size)
            for label, size in SIZES.items() if has_go else ():
                for connections in (64, 1):
                    clients_side(servers, connections, label, size)
        finally:
            servers.stop()


if __name__ == "__main__":
    main()
