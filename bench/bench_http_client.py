#!/usr/bin/env python3
"""Requests per second through a SOCKS5 proxy (microsocks) on this machine, one client thread:
wippy's http_client beside a bare libcurl loop with socks5h and Go's net/http with x/net/proxy.

Kept alive and with a new connection each; the three take turns, and the ratios are of medians. ROUNDS, REQUESTS and NEW_REQUESTS
in the environment change the amount.
"""
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "http_client")
ROUNDS = int(os.environ.get("ROUNDS", "5"))
REQUESTS = {"keep": os.environ.get("REQUESTS", "60000"), "new": os.environ.get("NEW_REQUESTS", "6000")}
CONCURRENCY = "32"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def build(work):
    for name, libs in (("origin", []), ("curl_loop", ["-lcurl"])):
        subprocess.run(["cc", "-O2", "-o", f"{work}/{name}", f"{HERE}/{name}.c", *libs], check=True)
    if not shutil.which("go"):
        return False
    shutil.copy(f"{HERE}/go.mod", work)
    shutil.copy(f"{HERE}/client.go", work)
    env = dict(os.environ, GOFLAGS="-mod=mod")
    return subprocess.run(["go", "build", "-o", "client", "."], cwd=work, env=env).returncode == 0


def main():
    wippy = os.environ["WIPPY_BIN"]
    work = tempfile.mkdtemp(prefix="wippy-bench-")
    proxy_port = free_port()
    children = []
    try:
        has_go = build(work)
        origin = subprocess.Popen([f"{work}/origin"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        children.append(origin)
        url = f"http://127.0.0.1:{json.loads(origin.stdout.readline())['port']}/"
        children.append(subprocess.Popen(["microsocks", "-i", "127.0.0.1", "-p", str(proxy_port)], stderr=subprocess.DEVNULL))
        project = f"{work}/project"
        shutil.copytree(f"{HERE}/project", project)

        def run(command, mode):
            out = subprocess.run(command + [url, REQUESTS[mode], CONCURRENCY, mode], cwd=project, stdout=subprocess.PIPE, text=True,
                                 timeout=300)
            if out.returncode != 0:
                sys.exit(f"bench: {command[0]} failed")
            return float(out.stdout)

        clients = {"libcurl": [f"{work}/curl_loop", str(proxy_port)],
                   "wippy": [wippy, "run", "-o", f"bench:proxy:port={proxy_port}", "client"]}
        if has_go:
            clients["go"] = ["env", "GOMAXPROCS=1", f"{work}/client", str(proxy_port)]
        for mode, label in (("keep", "kept alive"), ("new", "a new connection each")):
            figures = {name: [] for name in clients}
            for _ in range(ROUNDS):
                for name, command in clients.items():
                    figures[name].append(run(command, mode))
            median = {name: statistics.median(v) for name, v in figures.items()}
            for name, values in figures.items():
                print(f"{label:24} {name:8} {median[name]:8.0f} requests/s  (min {min(values):.0f}, max {max(values):.0f})")
            for name in clients:
                if name != "wippy":
                    print(f"{label:24} wippy / {name}: {median['wippy'] / median[name]:.2f}")
    finally:
        for child in children:
            child.terminate()
            child.wait()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
