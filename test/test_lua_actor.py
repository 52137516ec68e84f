"""Processes, functions and channels: the programs of lua/actor/ check themselves; what only shows from outside is checked here."""
import os
import shutil
import time
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "lua" / "actor"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return shutil.copytree(PROGRAMS, tmp_path_factory.mktemp("actor") / "actor")


@pytest.mark.parametrize("program", ["retry", "process_function", "pools", "upgrade", "subscribe", "messages", "spawning",
                                     "relations", "crossing", "names", "channels", "calls", "context", "misbehave", "rows"])
@pytest.mark.parametrize("workers", [1, 3])
def test_program(wippy, folder, program, workers):
    if program in ("misbehave", "rows") and os.environ.get("WIPPY_SANITIZER") == "thread":
        pytest.skip("the thread sanitizer holds back the signal that interrupts a bare loop")
    r = wippy.run(folder, "run", program, "--set", f"supervisor.host.worker_count={workers}", timeout=180)
    assert r.code == 0 and " checks, 0 failures\n" in r.stdout, r


@pytest.mark.parametrize("workers", [2, 3])
def test_calls_are_spread(wippy, folder, workers):
    r = wippy.run(folder, "run", "spread", str(workers), "--set", f"supervisor.host.worker_count={workers}", timeout=60)
    assert r.code == 0 and " checks, 0 failures\n" in r.stdout, r


def resident_kib(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


@pytest.mark.skipif("WIPPY_SANITIZER" in os.environ, reason="a sanitizer's allocator keeps what it gets")
def test_memory_returns(wippy, folder):
    """After two processes that filled their heap and ten thousand that crashed, the program is about as small as before."""
    with wippy.start(folder, "run", "memory") as r:
        r.wait_for("before\n")
        before = resident_kib(r.proc.pid)
        r.proc.stdin.write("\n")
        r.proc.stdin.flush()
        r.wait_for("after\n", timeout=60)
        after = resident_kib(r.proc.pid)
        r.proc.stdin.write("\n")
        r.proc.stdin.flush()
        assert r.wait() == 0
        assert after - before < 48 * 1024, (before, after)


@pytest.mark.parametrize("hide, shown", [("true", 0), ("false", 1)])
def test_hide_logs(wippy, project, hide, shown):
    folder = project({"src/_index.yaml": f"""
version: "1.0"
namespace: app
entries:
  - {{name: terminal, kind: terminal.host, hide_logs: {hide}, lifecycle: {{auto_start: true}}}}
  - {{name: c, kind: process.lua, meta: {{command: {{name: c}}}}, modules: [io], source: "return {{ main = function() print('a record') io.print('a line') end }}"}}
"""})
    r = wippy.run(folder, "run", "c", "-c")
    assert r.code == 0 and "a line\n" in r.stdout and (r.stdout + r.stderr).count("a record") == shown, r


def test_a_static_pool_is_filled_beforehand(wippy, project):
    folder = project({"src/_index.yaml": """
version: "1.0"
namespace: app
entries:
  - {name: good, kind: function.lua, method: main, pool: {type: static, workers: 3}, source: "print('a chunk ran') return { main = function() end }"}
  - {name: bad, kind: function.lua, method: main, pool: {workers: 2}, source: "error('cannot be loaded')"}
  - {name: lazy, kind: function.lua, method: main, pool: {type: lazy}, source: "print('not called') return { main = function() end }"}
"""})
    with wippy.start(folder, "run", "--set", "supervisor.host.worker_count=2") as r:
        r.wait_for("could not be filled")
        for _ in range(200):
            if "".join(r.stdout + r.stderr).count("a chunk ran") >= 3:
                break
            time.sleep(0.01)
        out = "".join(r.stdout + r.stderr)
        assert out.count("a chunk ran") == 3 and "not called" not in out and "app:bad" in out and "cannot be loaded" in out, out
        r.signal()
        assert r.wait() == 0


@pytest.mark.parametrize("timeout, told", [("1500ms", True), ("100ms", False)])
def test_a_slow_stop_says_what_it_waits_for(wippy, project, timeout, told):
    folder = project({"src/_index.yaml": f"""
version: "1.0"
namespace: app
entries:
  - {{name: terminal, kind: terminal.host, lifecycle: {{auto_start: true}}}}
  - {{name: processes, kind: process.host, lifecycle: {{auto_start: true, stop_timeout: {timeout}}}}}
  - {{name: deaf, kind: process.lua, source: "return {{ main = function() process.inbox():receive() end }}"}}
  - name: c
    kind: process.lua
    meta: {{command: {{name: c}}}}
    source: "return {{ main = function() for _ = 1, 3 do process.spawn('app:deaf', 'app:processes') end end }}"
"""})
    r = wippy.run(folder, "run", "c", "--set", "supervisor.host.worker_count=1")
    assert r.code == 0 and r.stderr.count("waiting for 3 processes on host app:processes to end; what is left is ended in 1s\n") == told, r
