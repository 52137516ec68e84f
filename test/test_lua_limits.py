"""Deadlines, limits of hosts, endings: the programs of lua/limits/ check themselves; what only shows from outside is checked here."""
import os
import shutil
import time
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "lua" / "limits"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return shutil.copytree(PROGRAMS, tmp_path_factory.mktemp("limits") / "limits")


@pytest.mark.parametrize("program", ["deadlines", "endings", "crowds", "mailboxes", "late_parent", "live"])
@pytest.mark.parametrize("workers", [1, 3])
def test_program(wippy, folder, program, workers):
    if program in ("deadlines", "endings") and os.environ.get("WIPPY_SANITIZER") == "thread":
        pytest.skip("the thread sanitizer holds back the signal that interrupts a bare loop")
    if program == "late_parent" and workers == 1:
        pytest.skip("there is no other worker")
    r = wippy.run(folder, "run", program, str(workers), "--set", f"supervisor.host.worker_count={workers}", timeout=60)
    assert r.code == 0 and " checks, 0 failures\n" in r.stdout, r


def test_children_that_never_lived_leave_their_places(wippy, folder):
    r = wippy.run(folder, "run", "stillborn", "2", "--set", "supervisor.host.worker_count=2", timeout=60)
    assert r.code == 0 and " checks, 0 failures\n" in r.stdout, r


@pytest.mark.skipif(os.environ.get("WIPPY_SANITIZER") == "thread", reason="the thread sanitizer holds back the signal that interrupts a bare loop")
def test_a_callback_without_an_end(wippy, folder):
    r = wippy.run(folder, "run", "held", "--set", "supervisor.host.worker_count=1", timeout=60)
    assert r.code == 0 and " checks, 0 failures\n" in r.stdout, r


def resident_kib(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


@pytest.mark.skipif("WIPPY_SANITIZER" in os.environ, reason="a sanitizer's allocator keeps what it gets")
def test_a_flood_is_held_back(wippy, folder):
    """Two processes that send 10 KB messages as fast as they can to a slow one on a host with mailbox_size: 5."""
    with wippy.start(folder, "run", "flood_bounded") as r:
        r.wait_for("before\n")
        before = resident_kib(r.proc.pid)
        r.proc.stdin.write("\n")
        r.proc.stdin.flush()
        r.wait_for("after\n", timeout=60)
        after = resident_kib(r.proc.pid)
        r.proc.stdin.write("\n")
        r.proc.stdin.flush()
        assert r.wait() == 0
        assert after - before < 16 * 1024, (before, after)


HOSTS = """
version: "1.0"
namespace: app
entries:
  - {name: terminal, kind: terminal.host, lifecycle: {auto_start: true}}
"""


@pytest.mark.parametrize("host, words", [
    ("{max_processes: -1}", "field 'host.max_processes' must be between 0 and"),
    ("{mailbox_size: -1}", "field 'host.mailbox_size' must be between 0 and"),
    ("{mailbox_size: many}", "mailbox_size"),
    ("{cancel_deadline: -1s}", "field 'host.cancel_deadline' must not be negative"),
    ("{cancel_deadline: soon}", "invalid duration"),
    ("{workers: -1}", "workers must be greater than 0"),
    ("{queue_size: -1}", "queue size must be greater than 0"),
    ("{local_queue_size: -1}", "local queue size must be greater than 0"),
    ("3", "field 'host': expected map"),
])
def test_refused_hosts(wippy, project, host, words):
    folder = project({"src/_index.yaml": HOSTS + f"  - {{name: h, kind: process.host, host: {host}}}\n"})
    r = wippy.run(folder, "run")
    assert r.code == 1 and words in r.stderr and "app:h" in r.stderr, r


def test_a_service_waits_for_room_on_its_host(wippy, project):
    """The second service finds the host full, which a later start can mend: it is tried again."""
    folder = project({"src/_index.yaml": HOSTS + """
  - {name: h, kind: process.host, host: {max_processes: 1}, lifecycle: {auto_start: true, stop_timeout: 200ms}}
  - {name: short, kind: process.lua, modules: [time], source: "local time = require('time') return { main = function() print('short runs') time.sleep('150ms') end }"}
  - {name: stays, kind: process.lua, source: "return { main = function() print('stays runs') process.events():receive() end }"}
  - {name: a, kind: process.service, process: short, host: app:h, lifecycle: {auto_start: true}}
  - {name: b, kind: process.service, process: stays, host: app:h, lifecycle: {auto_start: true, restart: {initial_delay: 50ms, max_delay: 60ms}}}
"""})
    with wippy.start(folder, "run", "--set", "supervisor.host.worker_count=1") as r:
        r.wait_for("stays runs", timeout=20)
        out = "".join(r.stdout) + "".join(r.stderr)
        assert "host app:h is full: it runs 1 processes (host.max_processes)" in out, out
        time.sleep(0.05)
        r.signal()
        assert r.wait() == 0
