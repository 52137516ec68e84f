#!/usr/bin/env python3
"""Processes beside Erlang/OTP: memory, spawning, messages, garbage collection; and what a function call costs.

Every measurement runs with one scheduler (worker) and then with all. The two take turns; a ratio is the median of the ratios of the
ROUNDS (default 5) rounds, so that what else the machine does in a round weighs on both sides. FEW=1 leaves out what needs gigabytes.
Without `erl` only our own figures are shown.
"""
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "actors")
ROUNDS = int(os.environ.get("ROUNDS", "5"))
FEW = os.environ.get("FEW") == "1"
RUN_SECONDS_MAX = 300

# label, what to run, amount, unit, divisor of the result, bound in that unit (None: the ratio is what counts)
MEASUREMENTS = [
    ("spawn, idle after it", "spawn", 20000, "us", 1e3, None),
    ("10,000 monitored, all ended", "monitored", 10000, "ms", 1e6, 30),
    ("a message and its answer", "pingpong", 200000, "us", 1e3, None),
    ("a message, one way", "send", 200000, "us", 1e3, None),
    ("200,000 alive, all answer", "crowd", 200000, "ms", 1e6, None),
    ("longest stall, 100,000 alive", "stall", 100000, "ms", 1e6, 20),
    ("function call", "call", 200000, "us", 1e3, 3),
]


class Side:
    """A program that runs actors: its command line for so many schedulers, and where."""

    def __init__(self, name, folder, command):
        self.name, self.folder, self.command = name, folder, command

    def start(self, schedulers, what, amount, **kw):
        return subprocess.Popen([*self.command(schedulers), what, str(amount)], cwd=self.folder, stdout=subprocess.PIPE, text=True, **kw)

    def measure(self, schedulers, what, amount):
        p = self.start(schedulers, what, amount)
        out, _ = p.communicate(timeout=RUN_SECONDS_MAX)
        if p.returncode != 0 or not out.startswith("result "):
            sys.exit(f"bench: {self.name} failed at {what}: {out}")
        return float(out.split()[1])

    def memory(self, schedulers, amount):
        """Resident bytes that each of so many idle processes adds."""
        with self.start(schedulers, "idle", amount, stdin=subprocess.PIPE) as p:
            before = self.resident_at(p, "before")
            after = self.resident_at(p, "after")
        return (after - before) / amount

    def resident_at(self, p, line):
        if p.stdout.readline() != line + "\n":
            sys.exit(f"bench: {self.name} failed")
        time.sleep(1)
        with open(f"/proc/{p.pid}/status") as f:
            kib = next(int(fields.split()[1]) for fields in f if fields.startswith("VmRSS"))
        p.stdin.write("\n")
        p.stdin.flush()
        return kib * 1024


def row(label, schedulers, unit, ours, theirs, bound=None):
    text = f"{label:30} {schedulers:>3} {statistics.median(ours):10.2f} {unit:5}"
    if theirs:
        ratio = statistics.median(a / b for a, b in zip(ours, theirs))
        text += f" {statistics.median(theirs):10.2f} {unit:5} {ratio:6.2f}"
    else:
        text += " " * 24
    if bound is not None:
        text += f"   (at most {bound} {unit})"
    print(text, flush=True)


def main():
    wippy = os.environ["WIPPY_BIN"]
    work = tempfile.mkdtemp(prefix="wippy-bench-")
    try:
        sides = [Side("wippy", shutil.copytree(f"{HERE}/project", f"{work}/project"),
                      lambda n: [wippy, "run", "--set", f"supervisor.host.worker_count={n}", "actors"])]
        if shutil.which("erl") and shutil.which("erlc"):
            subprocess.run(["erlc", "-o", work, f"{HERE}/actors.erl"], check=True)
            sides.append(Side("erl", work, lambda n: ["erl", "-noshell", "+S", f"{n}:{n}", "+P", "2000000", "-s", "actors", "main"]))
        else:
            print("bench: Erlang/OTP (erl, erlc) is not installed: comparisons with it are left out")
        cores = len(os.sched_getaffinity(0))
        print(f"{'':30} {'on':>3} {'wippy':>10} {'':5} {'BEAM':>10} {'':5} {'ratio':>6}")
        for schedulers in dict.fromkeys([1, cores]):
            for label, what, amount, unit, divisor, bound in MEASUREMENTS:
                figures = [[], []]
                for _ in range(ROUNDS):
                    for side, found in zip(sides, figures):
                        if what != "call" or side.name == "wippy":
                            found.append(side.measure(schedulers, what, amount) / divisor)
                row(label, schedulers, unit, *figures, bound)
            figures = [[], []]
            for _ in range(min(ROUNDS, 3)):
                for side, found in zip(sides, figures):
                    found.append(side.memory(schedulers, 100000))
            row("idle process", schedulers, "bytes", *figures)
        if not FEW:
            row("a million idle processes", cores, "GB", [sides[0].memory(cores, 1000000) * 1e6 / 1e9], [], 2.5)
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
