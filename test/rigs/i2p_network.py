#!/usr/bin/env python3
"""A private I2P network on one machine: real i2pd routers, no internet.

The routers live in a network namespace of their own that has no way out (i2pd refuses peers on loopback addresses, so there each has
an address of its own on `lo`); they share a network id that the public network does not use. Exactly one is a floodfill: with more, so
small a network loses lease sets. The first `--bridges` routers open a SAM v3 bridge each, carried out to 127.0.0.1 of the caller's
namespace: a client can use one and a server another. i2pd answers SESSION CREATE after 20 s or a multiple of it; a stream on a standing
session takes milliseconds. Needs Debian's `i2pd` and `iproute2`, and root (or user namespaces).

    i2p_network.py [--bridges 4] [--routers 6] [--timeout 180]

Prints one JSON line when SAM answers on every bridge and a stream between two of them has carried bytes:
    {"sam": [12656, 12657], "sockets": ["/tmp/.../0", "/tmp/.../1"], "seconds": 55.0}
and runs until its standard input closes. Meanwhile a line "cut N" on it makes bridge N vanish (what is open is reset, nobody listens
on its port any more), and "mend N" brings it back; the router runs on, but the sessions of that bridge end with their connections.
"kill N" kills the router of bridge N itself, with all that it knows, and "start N" starts it again over the same directory; it is done
when its bridge answers. Each is answered with {"done": "cut 0"}. `sockets` are the bridges as Unix sockets, which can be reached from
any network namespace (rigs/forward.py).
"""
import argparse
import asyncio
import base64
import concurrent.futures
import contextlib
import hashlib
import json
import os
import queue
import socket
import struct
import subprocess
import sys
import threading
import time
import zipfile

import rig

CONFIG = """
log = file
logfile = {dir}/log
loglevel = warn
netid = 77
host = {host}
address4 = {host}
port = {port}
nat = false
reservedrange = false
floodfill = {floodfill}
bandwidth = X
ipv6 = false
[http]
enabled = false
[httpproxy]
enabled = false
[socksproxy]
enabled = false
[i2cp]
enabled = false
[ssu2]
enabled = false
published = false
[ntcp2]
enabled = true
published = true
port = {port}
[sam]
enabled = {sam}
port = {samport}
[exploratory]
inbound.length = 1
outbound.length = 1
[reseed]
urls =
yggurls =
{seed}
"""
# Inside the namespace, where nobody else is.
ROUTER_PORT, SAM_PORT = 16000, 7656


def router_info_name(data):
    length = 387 + int.from_bytes(data[385:387], "big")
    digest = base64.b64encode(hashlib.sha256(data[:length]).digest()).decode().replace("+", "-").replace("/", "~")
    return f"routerInfo-{digest}.dat"


class Sam:
    """A client of a bridge, for the proof that the network carries bytes."""

    def __init__(self, port, timeout=60):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout)
        self.file = self.sock.makefile("rb")
        self.ask("HELLO VERSION MIN=3.1 MAX=3.3")

    def ask(self, line):
        self.sock.sendall(line.encode() + b"\n")
        return self.line()

    def line(self):
        return self.file.readline().decode().strip()


def carried(sams):
    """Carry bytes over one stream between the first and the last bridge, with sessions of its own."""
    # outbound.length=0: with an outbound tunnel there at once, i2pd makes the destination known when the first inbound one comes up.
    # Were both inbound ones first, nobody could find it.
    options = "inbound.length=1 outbound.length=0 inbound.quantity=2 outbound.quantity=2"
    n = time.monotonic_ns()
    ends = {"rig-client": Sam(sams[0]), "rig-server": Sam(sams[-1])}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:  # i2pd looks at a new session every 20 s: ask for both at once
        for r in pool.map(lambda e: e[1].ask(f"SESSION CREATE STYLE=STREAM ID={e[0]}{n} DESTINATION=TRANSIENT "
                                             f"SIGNATURE_TYPE=7 {options}"), ends.items()):
            if "RESULT=OK" not in r:
                raise OSError(r[:80])
    dest = ends["rig-server"].ask("NAMING LOOKUP NAME=ME").split("VALUE=")[1]
    accept = Sam(sams[-1])
    accept.sock.sendall(f"STREAM ACCEPT ID=rig-server{n} SILENT=false\n".encode())
    for _ in range(8):
        connect = Sam(sams[0], 10)
        r = connect.ask(f"STREAM CONNECT ID=rig-client{n} DESTINATION={dest} SILENT=false")
        if "RESULT=OK" in r:
            connect.sock.sendall(b"ping\n")
            return accept.line() and accept.line() and accept.line() == "ping"
        time.sleep(1)
    raise OSError(r[:80])


def proved(sams):
    """Do bytes pass? Two attempts at a time: now and then a session is not found for a while, and making the next takes 20 s."""
    results = queue.SimpleQueue()

    def attempt():
        try:
            results.put((carried(sams), None))
        except (OSError, IndexError) as e:
            results.put((False, OSError(str(e))))
    for _ in range(2):
        threading.Thread(target=attempt, daemon=True).start()
    for _ in range(2):
        good, error = results.get()
        if good:
            return True
    raise error or OSError("other bytes came")


def host(i):
    return f"44.{128 + i}.0.1"


class Carrier:
    """Outside the namespace: each bridge's TCP port to the Unix socket named after its number. One thread with a loop of its own."""

    def __init__(self, folder, ports):
        self.folder, self.ports, self.servers, self.open = folder, ports, {}, {}
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        for n in range(len(ports)):
            self.mend(n)

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    def mend(self, n):
        self.run(self.listen(n))

    def cut(self, n):
        self.run(self.close(n))

    async def listen(self, n):
        self.open[n] = set()
        self.servers[n] = await asyncio.start_server(
            lambda r, w: relay(r, w, lambda: asyncio.open_unix_connection(f"{self.folder}/{n}"), self.open[n]), "127.0.0.1", self.ports[n])

    async def close(self, n):
        self.servers.pop(n).close()
        for w in list(self.open[n]):
            # Reset, as the sockets of a killed process with unread data are.
            with contextlib.suppress(OSError):  # closed already
                w.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            w.transport.abort()


async def relay(reader, writer, open_other, known):
    known.add(writer)
    try:
        r2, w2 = await open_other()
    except OSError:
        writer.close()
        return

    async def pump(r, w):
        try:
            while data := await r.read(65536):
                w.write(data)
                await w.drain()
        except OSError:
            pass
        w.close()
    await asyncio.gather(pump(reader, w2), pump(r2, writer))
    known.discard(writer)


def carry_in(folder, count):
    """Inside the namespace: each Unix socket to the bridge's TCP port."""
    async def serve():
        for n in range(count):
            await asyncio.start_unix_server(
                lambda r, w, n=n: relay(r, w, lambda: asyncio.open_connection("127.0.0.1", SAM_PORT + n), set()), f"{folder}/{n}")
        await asyncio.Event().wait()
    asyncio.run(serve())


def start_router(children, i2pd, a, i, seed):
    d = f"{a.inside}/router{i}"
    os.makedirs(d, exist_ok=True)
    with open(d + "/tunnels.conf", "a", encoding="ascii"):
        pass
    with open(d + "/i2pd.conf", "w", encoding="ascii") as f:
        f.write(CONFIG.format(dir=d, host=host(i), port=ROUTER_PORT + i, floodfill=str(i == a.routers - 1).lower(),
                              sam="true" if i < a.bridges else "false", samport=SAM_PORT + i, seed=seed))
    return children.start(i2pd, f"--datadir={d}", f"--conf={d}/i2pd.conf", f"--tunconf={d}/tunnels.conf", stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


def kill_all(children):
    """A polite stop of i2pd takes many seconds, and nothing here is kept."""
    for p in children.procs:
        p.kill()
    for p in children.procs:
        p.wait()
    children.procs.clear()


def inside(a):
    """In the namespace: the routers. Each line of standard input, "kill N" or "start N", is said back when it is done; ends with it."""
    i2pd, ip = rig.tool("i2pd", "i2pd"), rig.tool("ip", "iproute2")
    subprocess.run([ip, "link", "set", "lo", "up"], check=True)
    for i in range(a.routers):
        subprocess.run([ip, "addr", "add", host(i) + "/32", "dev", "lo"], check=True)
    with rig.Children() as children:
        try:
            # Once alone, so that each writes who it is; then again, knowing of each other.
            for i in range(a.routers):
                start_router(children, i2pd, a, i, "threshold = 0")
            infos = [f"{a.inside}/router{i}/router.info" for i in range(a.routers)]
            end = time.monotonic() + 60
            while not all(os.path.exists(f) and os.path.getsize(f) > 400 for f in infos):
                if time.monotonic() > end:
                    raise rig.Failed("the routers did not write their router.info")
                time.sleep(0.2)
            time.sleep(1)
            kill_all(children)
            with zipfile.ZipFile(a.inside + "/seed.zip", "w") as z:
                for f in infos:
                    with open(f, "rb") as info:
                        data = info.read()
                    z.writestr(router_info_name(data), data)
            seed = f"zipfile = {a.inside}/seed.zip\nthreshold = 1000"
            routers = [start_router(children, i2pd, a, i, seed) for i in range(a.routers)]
            threading.Thread(target=carry_in, args=(a.inside, a.bridges), daemon=True).start()
            for line in sys.stdin:
                verb, n = line.split()
                i = int(n)
                if verb == "kill":
                    children.procs.remove(routers[i])
                    routers[i].kill()
                    routers[i].wait()
                else:
                    routers[i] = start_router(children, i2pd, a, i, seed)
                    rig.wait_for_port(SAM_PORT + i, process=routers[i], seconds=30)
                print(line, end="", flush=True)
        finally:
            kill_all(children)


def obey(line, child, carrier):
    """A line of the user's. A killed router's bridge is gone, too, and before it: a connection made between the two would hang (asyncio
    forgets what it accepts while its server closes), and a dead router's does not."""
    verb, n = line.split()
    if verb in ("cut", "kill"):
        carrier.cut(int(n))
    if verb in ("kill", "start"):
        child.stdin.write(line)
        child.stdin.flush()
        if child.stdout.readline() != line:
            raise rig.Failed(f"could not {line.strip()}")
    if verb in ("mend", "start"):
        carrier.mend(int(n))


def wait_for_stream(a, ports, child):
    started, last = time.monotonic(), ""
    while time.monotonic() - started < a.timeout:
        if child.poll() is not None:
            raise rig.Failed("the routers ended early")
        try:
            if proved(ports):
                return round(time.monotonic() - started, 1)
        except OSError as e:
            last = str(e)
        time.sleep(1)
    raise rig.Failed(f"no stream after {a.timeout} s; last: {last}")


def body():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--bridges", type=int, default=4)
    ap.add_argument("--routers", type=int, default=6)
    ap.add_argument("--timeout", type=float, default=180)
    ap.add_argument("--inside", help=argparse.SUPPRESS)
    a = ap.parse_args()
    if a.inside:
        inside(a)
        return
    rig.tool("i2pd", "i2pd")
    unshare = [rig.tool("unshare", "util-linux"), "-n" if os.geteuid() == 0 else "-rn"]
    with rig.scratch("i2p") as root, rig.Children() as children:
        ports = [rig.free_port() for _ in range(a.bridges)]
        child = children.start(*unshare, sys.executable, os.path.abspath(__file__), "--bridges", a.bridges, "--routers", a.routers,
                               "--inside", root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        carrier = Carrier(root, ports)
        seconds = wait_for_stream(a, ports, child)
        rig.ready(sam=ports, sockets=[f"{root}/{n}" for n in range(a.bridges)], seconds=seconds)
        for line in sys.stdin:
            obey(line, child, carrier)
            print(json.dumps({"done": line.strip()}), flush=True)


if __name__ == "__main__":
    rig.main(body)
