#!/usr/bin/env python3
"""From the shell to the first line: wall time and peak memory of a hello program, `wippy run` beside lua5.4, node and Go;
and of a program whose first request reaches a proxy: the time until the proxy accepts.

The programs take turns; medians of ROUNDS (default 20) runs each.
"""
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROUNDS = int(os.environ.get("ROUNDS", "20"))

INDEX = """version: "1.0"
namespace: app
entries:
  - {{name: terminal, kind: terminal.host, lifecycle: {{auto_start: true}}}}
  - {{name: proxy, kind: network.socks5, host: 127.0.0.1, port: {port}}}
  - name: hello
    kind: process.lua
    meta: {{command: {{name: hello}}}}
    modules: [io]
    source: 'return function() io.print("hello") return 0 end'
  - name: first
    kind: process.lua
    meta: {{command: {{name: first}}}}
    modules: [io, http_client]
    source: 'return function() http_client.get("http://example.test/", {{overlay_network = "app:proxy", timeout = "5s"}}) return 0 end'
"""
GO = 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("hello") }\n'


def measure(command):
    """Wall milliseconds and peak resident KB of one run."""
    out = subprocess.run(["./measure", *command], stdout=subprocess.PIPE, text=True)
    if out.returncode != 0:
        raise SystemExit(f"bench: {command[0]} failed")
    wall, peak = out.stdout.split()
    return float(wall), int(peak)


def first_byte(wippy, listener):
    """Milliseconds until the proxy has the first byte, and the peak memory of the run."""
    begun = time.perf_counter()
    pid = os.posix_spawnp(wippy, [wippy, "run", "first"], os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
    conn, _ = listener.accept()
    conn.recv(1)
    wall = (time.perf_counter() - begun) * 1000
    with open(f"/proc/{pid}/status") as f:
        peak = next(int(line.split()[1]) for line in f if line.startswith("VmHWM"))
    conn.close()
    os.wait4(pid, 0)
    return wall, peak


def main():
    wippy = os.environ["WIPPY_BIN"]
    work = tempfile.mkdtemp(prefix="wippy-bench-")
    try:
        listener = socket.create_server(("127.0.0.1", 0))
        os.makedirs(f"{work}/src")
        with open(f"{work}/src/_index.yaml", "w") as f:
            f.write(INDEX.format(port=listener.getsockname()[1]))
        with open(f"{work}/wippy.lock", "w") as f:
            f.write("directories:\n    modules: .wippy\n    src: ./src\n")
        with open(f"{work}/hello.lua", "w") as f:
            f.write('print("hello")\n')
        with open(f"{work}/hello.js", "w") as f:
            f.write('console.log("hello")\n')
        with open(f"{work}/hello.go", "w") as f:
            f.write(GO)
        subprocess.run(["cc", "-O2", "-o", f"{work}/measure", os.path.join(HERE, "start/measure.c")], check=True)
        os.chdir(work)
        programs = {"wippy run hello": [wippy, "run", "hello"]}
        if shutil.which("lua5.4"):
            programs["lua5.4"] = ["lua5.4", "hello.lua"]
        if shutil.which("node"):
            programs["node"] = ["node", "hello.js"]
        if shutil.which("go") and subprocess.run(["go", "build", "-o", "hello-go", "hello.go"]).returncode == 0:
            programs["go"] = ["./hello-go"]
        figures = {name: [] for name in programs}
        figures["first byte at a proxy"] = []
        for _ in range(ROUNDS + 1):
            for name, command in programs.items():
                figures[name].append(measure(command))
            figures["first byte at a proxy"].append(first_byte(wippy, listener))
        base = None
        for name, runs in figures.items():
            wall = statistics.median(w for w, _ in runs[1:])
            peak = statistics.median(p for _, p in runs[1:]) / 1024
            base = base or (wall, peak)
            print(f"{name:24} {wall:7.1f} ms  {peak:6.1f} MB   wippy / this: {base[0] / wall:.2f} time, {base[1] / peak:.2f} memory")
    finally:
        os.chdir("/")
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
