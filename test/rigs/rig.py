"""What every rig shares: readiness on one JSON line, and an end that comes by itself.

A rig is a program that starts a real counterpart (a proxy, a network, a server) for tests and demos. It prints one JSON
line when the counterpart answers, runs until its standard input closes (or SIGTERM, SIGINT), and leaves nothing behind: a
test that dies takes its rigs with it.
"""
import ctypes
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

# Where root's programs live; a user's PATH often leaves them out.
SEARCH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


class Failed(Exception):
    """The rig cannot be had; the text says why."""


def tool(name, package):
    """Path of a program, or Failed naming the Debian package that has it."""
    path = shutil.which(name, path=SEARCH)
    if not path:
        raise Failed(f"{name} not found: install the package {package}")
    return path


def die_with_parent():
    """For preexec_fn: the kernel ends the child when this process ends, however that happens."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


PORTS_GIVEN = set()


def free_port(address="127.0.0.1", kind=socket.SOCK_STREAM):
    """A port nobody listens on right now, and that the kernel gives to nobody by itself: below the range of ephemeral ports, since between
    this call and the user's own bind() every outgoing connection on the machine takes one of those."""
    for _ in range(1000):
        port = random.randrange(12000, 32000)
        if port in PORTS_GIVEN:
            continue
        with socket.socket(socket.AF_INET, kind) as s:
            try:
                s.bind((address, port))
            except OSError:
                continue
        PORTS_GIVEN.add(port)
        return port
    raise Failed("no free port")


def wait_for_port(port, address="127.0.0.1", seconds=10.0, process=None):
    """Wait until something accepts on the port; Failed when it does not, or when `process` ended first."""
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection((address, port), timeout=1).close()
            return
        except OSError as e:
            if process is not None and process.poll() is not None:
                raise Failed(f"{process.args[0]} ended with {process.returncode} before it listened") from e
            if time.monotonic() > end:
                raise Failed(f"nothing listens on {address}:{port} after {seconds} s") from e
        time.sleep(0.02)


def ready(**facts):
    """Say that the counterpart answers, and how to reach it."""
    print(json.dumps(facts), flush=True)


def until_stdin_closes():
    """Block until the starter closes our standard input or goes away."""
    try:
        while os.read(0, 65536):
            pass
    except OSError:
        pass


class Children:
    """Programs that this rig started. Use as a context manager: leaving it stops them all."""

    def __init__(self):
        self.procs = []

    def start(self, *cmd, **kw):
        kw.setdefault("stdin", subprocess.DEVNULL)
        # Standard output carries the one JSON line and nothing else.
        kw.setdefault("stdout", sys.stderr)
        p = subprocess.Popen([str(c) for c in cmd], preexec_fn=die_with_parent, **kw)
        self.procs.append(p)
        return p

    def stop(self):
        for p in self.procs:
            p.terminate()
        for p in self.procs:
            try:
                p.wait(5)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        self.procs.clear()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def scratch(prefix):
    """A temporary directory, removed when its context ends."""
    return tempfile.TemporaryDirectory(prefix=f"wippy-{prefix}-", ignore_cleanup_errors=True)


def main(body):
    """Run a rig's body; a signal ends it through its own clean-up, a failure is one line on stderr and status 1."""

    def leave(*_):
        # A second signal during clean-up must not cut it short.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
    try:
        body()
    except Failed as e:
        print(f"{os.path.basename(sys.argv[0])}: {e}", file=sys.stderr)
        sys.exit(1)
