#!/usr/bin/env python3
"""The HTTP server beside others, on this machine: a Lua handler that says hello, JSON in and out, files of 4 KB and 1 MB, latency, two workers, idle connections.

Peers: nginx with its Lua module (its JSON row needs lua-cjson), Go's net/http with a pool of gopher-lua states, and a bare epoll loop in C. What is not
installed is left out. All serve with WORKERS threads (default 1). The servers take turns for ROUNDS (default 3) rounds of SECONDS (default 5) of wrk with
64 connections; a ratio is the median of the rounds' ratios, by the clock and, which a busy machine disturbs less, by processor time of the server. For
latency, every server gets the same requests a second, half of what the slowest of them can do, from one thread on time; IDLE (default 10000) connections sit after one request
each. WIPPY_BIN is the program to measure.

Latency is measured twice: as the machine schedules, where each row also says for how long the server's threads were ready to run and had no processor, and,
where this may ask for it (root), with the server and the client in real time (SCHED_FIFO), so that what else runs, the client included, does not count.
REAL_TIME=1 measures everything so, for a machine that others use; they wait meanwhile.
"""
import contextlib
import json
import os
import re
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "http_server")
ROUNDS = int(os.environ.get("ROUNDS", "3"))
SECONDS = int(os.environ.get("SECONDS", "5"))
WORKERS = int(os.environ.get("WORKERS", "1"))
IDLE = int(os.environ.get("IDLE", "10000"))
REAL_TIME = ["chrt", "-f", "1"] if os.environ.get("REAL_TIME") else []
WIPPY = os.environ.get("WIPPY_BIN", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "build", "wippy"))
LUA_MODULES = ("/usr/lib/nginx/modules/ndk_http_module.so", "/usr/lib/nginx/modules/ngx_http_lua_module.so")
CJSON = ("/usr/lib/x86_64-linux-gnu/lua/5.1/cjson.so", "/usr/lib/aarch64-linux-gnu/lua/5.1/cjson.so")
OURS, TWO, NGINX, GO, BARE = "wippy", "wippy, two workers", "nginx + Lua", "Go + gopher-lua", "bare epoll"

HELLO = """local function run()
  local res = http.response()
  res:set_content_type("text/plain")
  res:write("hello")
end
return { run = run }
"""

DOUBLE = """local function run()
  local body = http.request():body_json()
  http.response():write_json({ twice = body.n * 2, text = body.text })
end
return { run = run }
"""

NGINX_CONF = """{modules}
worker_processes {workers}; worker_rlimit_nofile 20000; daemon off; pid {dir}/pid; error_log {dir}/error.log;
events {{ worker_connections 15000; }}
http {{ access_log off; keepalive_requests 100000000; keepalive_timeout 1h; sendfile on; lua_package_cpath ";;{cpath}";
  client_body_temp_path {dir}/a; proxy_temp_path {dir}/b; fastcgi_temp_path {dir}/c; uwsgi_temp_path {dir}/d; scgi_temp_path {dir}/e;
  server {{ listen 127.0.0.1:{port};
    location /files/ {{ root {files}; }}
    location /hello {{ default_type text/plain; content_by_lua_block {{ ngx.header["Content-Length"] = 5 ngx.print("hello") }} }}
    location /json {{ default_type application/json; content_by_lua_block {{
      local cjson = require("cjson.safe")
      ngx.req.read_body()
      local t = cjson.decode(ngx.req.get_body_data())
      local text = cjson.encode({{ twice = t.n * 2, text = t.text }})
      ngx.header["Content-Length"] = #text
      ngx.print(text) }} }} }} }}
"""

POST = """wrk.method = "POST"
wrk.body = '{"n":21,"text":"the quick brown fox jumps over the lazy dog"}'
wrk.headers["Content-Type"] = "application/json"
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port, process):
    end = time.monotonic() + 20
    while time.monotonic() < end and process.poll() is None:
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
    sys.exit("bench: a server does not start: " + " ".join(process.args))


class Servers:
    def __init__(self, folder):
        self.folder, self.processes, self.ports = folder, {}, {}
        os.makedirs(f"{folder}/files")
        for name, times in (("big.bin", 4096), ("small.bin", 16)):
            with open(f"{folder}/files/{name}", "wb") as f:
                f.write(bytes(range(256)) * times)

    def start(self, name, command, port, cwd=None, env=None):
        p = subprocess.Popen(REAL_TIME + command, cwd=cwd, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.processes[name] = p
        wait_for(port, p)
        self.ports[name] = port

    def start_wippy(self, name, workers):
        port, folder = free_port(), f"{self.folder}/{name}"
        os.makedirs(f"{folder}/src")
        with open(f"{folder}/wippy.lock", "w", encoding="utf-8") as f:
            f.write("directories:\n    modules: .wippy\n    src: ./src\n")
        entries = [{"name": "web", "kind": "http.service", "addr": f"127.0.0.1:{port}", "lifecycle": {"auto_start": True}},
                   {"name": "files", "kind": "fs.directory", "directory": f"{self.folder}/files"},
                   {"name": "mount", "kind": "http.static", "meta": {"server": "web"}, "path": "/files", "fs": "files"},
                   {"name": "api", "kind": "http.router", "meta": {"server": "web"}}]
        for func, source, method in (("hello", HELLO, "GET"), ("json", DOUBLE, "POST")):
            entries += [{"name": func, "kind": "function.lua", "source": source, "method": "run", "modules": ["http"]},
                        {"name": func + "_ep", "kind": "http.endpoint", "meta": {"router": "api"}, "method": method, "path": "/" + func, "func": func}]
        with open(f"{folder}/src/_index.yaml", "w", encoding="utf-8") as f:
            json.dump({"version": "1.0", "namespace": "app", "entries": entries}, f)
        with open(f"{folder}/.wippy.yaml", "w", encoding="utf-8") as f:
            json.dump({"version": "1.0", "supervisor": {"host": {"worker_count": workers}}}, f)
        self.start(name, [WIPPY, "run"], port, cwd=folder)

    def start_nginx(self):
        if not shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin") or not all(map(os.path.exists, LUA_MODULES)):
            return
        port, folder = free_port(), f"{self.folder}/nginx"
        os.makedirs(folder)
        with open(f"{folder}/conf", "w", encoding="utf-8") as f:
            f.write(NGINX_CONF.format(modules="\n".join(f"load_module {m};" for m in LUA_MODULES), dir=folder, port=port, workers=WORKERS, files=self.folder,
                                      cpath=";".join(CJSON)))
        os.chmod(self.folder, 0o755)  # its workers may run as another user
        self.start(NGINX, ["/usr/sbin/nginx", "-c", f"{folder}/conf"], port)

    def start_go(self):
        if not shutil.which("go"):
            return
        os.makedirs(f"{self.folder}/go")
        for name in ("go.mod", "go.sum", "main.go"):
            shutil.copy(f"{HERE}/{name}", f"{self.folder}/go")
        if subprocess.run(["go", "build", "-o", "peer", "."], cwd=f"{self.folder}/go", env=dict(os.environ, GOFLAGS="-mod=mod")).returncode == 0:
            port = free_port()
            self.start(GO, [f"{self.folder}/go/peer", str(port)], port, env=dict(os.environ, GOMAXPROCS=str(WORKERS)))

    def start_bare(self):
        if shutil.which("cc"):
            port = free_port()
            subprocess.run(["cc", "-O2", "-o", f"{self.folder}/hello", f"{HERE}/hello.c"], check=True)
            self.start(BARE, [f"{self.folder}/hello", str(port)], port)

    def stop(self):
        for p in self.processes.values():
            p.terminate()
        for p in self.processes.values():
            p.wait()

    def family(self, name):
        """The processes of a server: itself and its children."""
        parent, found = self.processes[name].pid, []
        for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", encoding="utf-8") as f:
                if parent in (pid, int(f.read().rsplit(")", 1)[1].split()[1])):
                    found.append(pid)
        return found

    def memory(self, name):
        """Resident bytes."""
        total = 0
        for pid in self.family(name):
            with open(f"/proc/{pid}/statm", encoding="ascii") as f:
                total += int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return total


def processor(servers, name):
    """Seconds of processor time of a server and its children."""
    total = 0
    for pid in servers.family(name):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", encoding="utf-8") as f:
            total += sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13])) / os.sysconf("SC_CLK_TCK")
    return total


def rate(servers, name, path, script=None):
    """Requests a second, and how many it would have been for each second of processor time."""
    before = processor(servers, name)
    out = subprocess.run([*REAL_TIME, "wrk", "-t1", "-c64", f"-d{SECONDS}s", *(["-s", script] if script else []), f"http://127.0.0.1:{servers.ports[name]}{path}"],
                         capture_output=True, text=True, check=True).stdout
    if "Socket errors" in out or "Non-2xx" in out and path != "/none":
        print(out, file=sys.stderr)
    used = processor(servers, name) - before
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1)), int(re.search(r"(\d+) requests in", out).group(1)) / max(used, 0.01)


def compare(servers, title, rows, script=None):
    """rows: (label, server, path), ours first; gives the medians."""
    rows = [r for r in rows if r[1] in servers.ports]
    for _, name, path in rows:
        rate(servers, name, path, script)  # warm
    rounds = [[rate(servers, name, path, script) for _, name, path in rows] for _ in range(ROUNDS)]
    for i, (label, _, _) in enumerate(rows):
        speed, each = statistics.median(r[i][0] for r in rounds), statistics.median(1e6 / r[i][1] for r in rounds)
        line = f"{title:10} {label:20} {speed:10.0f} requests/s, {each:7.1f} us of processor each"
        if i:
            by_time, by_processor = (statistics.median(r[0][k] / r[i][k] for r in rounds) for k in (0, 1))
            line += f"   {rows[0][0]} / it: {by_time:.2f}, by processor time {by_processor:.2f}"
        print(line, flush=True)
    return {label: statistics.median(r[i][0] for r in rounds) for i, (label, _, _) in enumerate(rows)}


def waited(servers, name):
    """Seconds its threads were ready to run, but did not."""
    total = 0
    for pid in servers.family(name):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as f:
                total += int(f.read().split()[1]) / 1e9
    return total


def schedule(servers, names, *policy):
    """Whether all threads of the servers could be given it."""
    return all(subprocess.run(["chrt", "-a", *policy, "-p", "1" if "-f" in policy else "0", str(pid)], stderr=subprocess.DEVNULL).returncode == 0
               for name in names for pid in servers.family(name))


def pace(servers, name, at, *before):
    """50, 99, 99.9 % and all stay under so many microseconds; how late the client was (99 %); the part of the time its threads waited."""
    waits = waited(servers, name)
    out = subprocess.run([*before, f"{servers.folder}/pace", str(servers.ports[name]), "/hello", str(at), str(SECONDS)], capture_output=True, text=True,
                         check=True).stdout.split()
    return [*map(float, out[:4]), float(out[5]), (waited(servers, name) - waits) / SECONDS * 100]


def latencies(servers, rates):
    names = [n for n in (OURS, NGINX, GO, BARE) if n in servers.ports]
    at = min(rates[n] for n in names) / 2
    if not shutil.which("cc"):
        return
    subprocess.run(["cc", "-O2", "-o", f"{servers.folder}/pace", f"{HERE}/pace.c"], check=True)
    for title, before in ([] if REAL_TIME else [("latency", [])]) + [("real time", ["chrt", "-f", "2"])]:
        if before and not (shutil.which("chrt") and schedule(servers, names, "-f")):
            print(f"{title:10} left out: it takes chrt, and the right to use it")
            continue
        rounds = [{n: pace(servers, n, at, *before) for n in names} for _ in range(ROUNDS + 1)][1:]  # the first warms
        if before and not REAL_TIME:
            schedule(servers, names, "-o")
        for n in names:
            p50, p99, p999, most, late, waits = (statistics.median(r[n][i] for r in rounds) for i in range(6))
            line = (f"{title:10} {n:20} p50 {p50:7.0f} us, p99 {p99:7.0f}, p99.9 {p999:7.0f}, all {most:7.0f} at {at:.0f} requests/s; "
                    f"no processor {waits:.1f} % of the time, client late {late:.0f} us (p99)")
            if n != OURS:
                line += "   wippy / it: " + ", ".join(f"{statistics.median(r[OURS][i] / r[n][i] for r in rounds):.2f}" for i in range(3))
            print(line, flush=True)


def idle(servers):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(IDLE, hard - 100)
    for n in (n for n in (OURS, NGINX, GO) if n in servers.ports):
        subprocess.run(["prlimit", f"--pid={servers.processes[n].pid}", f"--nofile={hard}:{hard}"], check=True)
        before, open_now = servers.memory(n), []
        for _ in range(count):
            s = socket.create_connection(("127.0.0.1", servers.ports[n]))
            s.sendall(b"GET /hello HTTP/1.1\r\nHost: bench\r\n\r\n")
            s.recv(1000)
            open_now.append(s)
        time.sleep(1)
        print(f"{'idle':10} {n:20} {(servers.memory(n) - before) / count:10.0f} bytes for each of {count} connections", flush=True)
        for s in open_now:
            s.close()


def main():
    with tempfile.TemporaryDirectory() as folder:
        servers = Servers(folder)
        try:
            servers.start_wippy(OURS, WORKERS)
            servers.start_nginx()
            servers.start_go()
            servers.start_bare()
            with open(f"{folder}/post.lua", "w", encoding="utf-8") as f:
                f.write(POST)
            rates = compare(servers, "hello", [(OURS, OURS, "/hello"), (NGINX, NGINX, "/hello"), (GO, GO, "/hello"), (BARE, BARE, "/hello"),
                                               ("no handler (404)", OURS, "/none")])
            compare(servers, "JSON", [(OURS, OURS, "/json"), *([(NGINX, NGINX, "/json")] if any(map(os.path.exists, CJSON)) else []), (GO, GO, "/json")],
                    f"{folder}/post.lua")
            for size, name in (("4 KB", "small"), ("1 MB", "big")):
                compare(servers, size, [(n, n, f"/files/{name}.bin") for n in (OURS, NGINX)])
            latencies(servers, rates)
            idle(servers)
            if WORKERS == 1:
                servers.start_wippy(TWO, 2)
                compare(servers, "workers", [(TWO, TWO, "/hello"), (OURS, OURS, "/hello")])
        finally:
            servers.stop()


if __name__ == "__main__":
    main()
