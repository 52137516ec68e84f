#!/usr/bin/env python3
"""HTTP hello, 64 connections: a Lua handler of ours beside nginx with its Lua module, and a route of ours that needs no Lua.

The servers take turns for ROUNDS (default 3) rounds of SECONDS (default 5); a ratio is the median of the rounds' ratios. Needs wrk; without nginx and its Lua module only
our own figures are shown. WIPPY_BIN is the program to measure.
"""
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = int(os.environ.get("ROUNDS", "3"))
SECONDS = int(os.environ.get("SECONDS", "5"))
WORKERS = int(os.environ.get("WORKERS", "1"))
WIPPY = os.environ.get("WIPPY_BIN", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "build", "wippy"))
LUA_MODULES = ("/usr/lib/nginx/modules/ndk_http_module.so", "/usr/lib/nginx/modules/ngx_http_lua_module.so")

HANDLER = """local http = require("http")
local function run()
  local res = http.response()
  res:set_content_type("text/plain")
  res:write("hello")
end
return { run = run }
"""

NGINX = """{modules}
worker_processes {workers}; daemon off; pid {dir}/pid; error_log {dir}/error.log;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 100000000;
  client_body_temp_path {dir}/a; proxy_temp_path {dir}/b; fastcgi_temp_path {dir}/c; uwsgi_temp_path {dir}/d; scgi_temp_path {dir}/e;
  server {{ listen 127.0.0.1:{port};
    location / {{ default_type text/plain; content_by_lua_block {{ ngx.header["Content-Length"] = 5 ngx.print("hello") }} }} }} }}
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port, process):
    end = time.monotonic() + 10
    while time.monotonic() < end and process.poll() is None:
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
    sys.exit("a server does not start: " + " ".join(process.args))


def start_wippy(folder, port):
    os.makedirs(f"{folder}/src")
    with open(f"{folder}/wippy.lock", "w", encoding="utf-8") as f:
        f.write("directories:\n    modules: .wippy\n    src: ./src\n")
    with open(f"{folder}/src/_index.yaml", "w", encoding="utf-8") as f:
        json.dump({"version": "1.0", "namespace": "app", "entries": [
            {"name": "web", "kind": "http.service", "addr": f"127.0.0.1:{port}", "lifecycle": {"auto_start": True}},
            {"name": "api", "kind": "http.router", "meta": {"server": "web"}},
            {"name": "hello", "kind": "function.lua", "source": HANDLER, "method": "run", "modules": ["http"]},
            {"name": "hello_ep", "kind": "http.endpoint", "meta": {"router": "api"}, "method": "GET", "path": "/hello",
             "func": "hello"}]}, f)
    with open(f"{folder}/.wippy.yaml", "w", encoding="utf-8") as f:
        json.dump({"version": "1.0", "supervisor": {"host": {"worker_count": WORKERS}}}, f)
    p = subprocess.Popen([WIPPY, "run"], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(port, p)
    return p


def start_nginx(folder, port):
    if not shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin") or not all(map(os.path.exists, LUA_MODULES)):
        return None
    os.makedirs(folder)
    with open(f"{folder}/conf", "w", encoding="utf-8") as f:
        f.write(NGINX.format(modules="\n".join(f"load_module {m};" for m in LUA_MODULES), dir=folder, port=port, workers=WORKERS))
    p = subprocess.Popen(["/usr/sbin/nginx", "-c", f"{folder}/conf"], stderr=subprocess.DEVNULL)
    wait_for(port, p)
    return p


def rate(port, path):
    out = subprocess.run(["wrk", "-t1", "-c64", f"-d{SECONDS}s", f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True,
                         check=True).stdout
    if "Socket errors" in out:
        print(out, file=sys.stderr)
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))


def main():
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = free_port(), free_port()
        processes = [start_wippy(f"{folder}/wippy", ours)]
        nginx = start_nginx(f"{folder}/nginx", theirs)
        processes += [nginx] if nginx else []
        targets = [("Lua handler", ours, "/hello"), ("no handler (404)", ours, "/none")] + \
            ([("nginx + Lua", theirs, "/")] if nginx else [])
        rounds = []
        try:
            for _, port, path in targets:
                rate(port, path)  # warm
            for _ in range(ROUNDS):
                rounds.append([rate(port, path) for _, port, path in targets])
        finally:
            for p in processes:
                p.terminate()
            for p in processes:
                p.wait()
    for i, (name, _, _) in enumerate(targets):
        figures = [r[i] for r in rounds]
        line = f"{name:20} {statistics.median(figures):10.0f} requests/s"
        if nginx and i < 2:
            line += f"   {statistics.median(r[i] / r[2] for r in rounds):.2f} of nginx + Lua"
        print(line)


if __name__ == "__main__":
    main()
