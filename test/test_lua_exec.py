"""Programs that an application starts: the projects of lua/exec/ check themselves; what becomes of their children is seen here."""
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "lua" / "exec"


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(PROGRAMS, tmp_path / "exec")


def state(pid):
    """R, S, T, Z, or None when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return None


def parent(pid):
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    except OSError:
        return None


def gone_after(pids, seconds):
    """Seconds until none of them runs any more."""
    started = time.monotonic()
    while any(state(p) not in (None, "Z") for p in pids):
        if time.monotonic() - started > seconds:
            for p in pids:
                try:
                    os.kill(p, signal.SIGKILL)
                except OSError:
                    pass
            return None
        time.sleep(0.02)
    return time.monotonic() - started


@pytest.mark.parametrize("program", ["basics", "flood", "two_hundred", "killed"])
def test_program(wippy, folder, program):
    r = wippy.run(folder, "run", program, timeout=120)
    assert r.code == 0 and " checks, 0 failures\n" in r.stdout, r


def leave(wippy, folder, how):
    p = subprocess.Popen([wippy.path, "run", "leaves", how], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    return p, [int(word) for word in p.stdout.readline().split()]


@pytest.mark.parametrize("how, least, most", [("plain", 0, 2), ("stopped", 0, 2), ("orphan", 0, 2), ("stubborn", 3, 8)])
def test_nothing_is_left_when_the_owner_ends(wippy, folder, slower, how, least, most):
    p, pids = leave(wippy, folder, how)
    try:
        assert pids
        seconds = gone_after(pids, 15 * slower)
        assert seconds is not None and least <= seconds <= most * slower
        # The program reaps its children: none stays as a zombie.
        time.sleep(0.1)
        assert not [pid for pid in pids if parent(pid) == p.pid]
    finally:
        p.communicate("\n", timeout=30)
    assert p.returncode == 0


def test_nothing_is_left_when_all_ends(wippy, folder, slower):
    """The whole program stops before the time of a stubborn child is over."""
    p, pids = leave(wippy, folder, "stubborn")
    started = time.monotonic()
    p.communicate("\n", timeout=30)
    assert p.returncode == 0 and time.monotonic() - started < 4 * slower
    assert gone_after(pids, 1) is not None


def test_what_a_program_inherits(wippy, folder):
    """Three descriptors (a fourth is ls's own look), no signal blocked or ignored, a group of its own."""
    read, write = os.pipe()
    os.set_inheritable(write, True)
    p = subprocess.Popen([wippy.path, "run", "descriptors"], cwd=folder, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                         text=True, close_fds=False)
    out = p.communicate(timeout=30)[0].split()
    os.close(read)
    os.close(write)
    ignored = int(out.pop(4), 16) & ~0x180000000  # the C library's own two signals, which no program may use
    assert out == ["0", "1", "2", "0" * 16, "1"] and ignored == 0, out


def test_values_stay_out_of_our_arguments(wippy, folder):
    """What a child gets in its environment shows neither in our arguments nor in our own environment."""
    p, pids = leave(wippy, folder, "plain")
    seen = Path(f"/proc/{p.pid}/cmdline").read_bytes() + Path(f"/proc/{p.pid}/environ").read_bytes()
    p.communicate("\n", timeout=30)
    assert b"GREETING" not in seen and gone_after(pids, 10) is not None


def test_a_bad_value_is_not_shown(wippy, folder):
    with open(folder / "src" / "_index.yaml", "a", encoding="utf-8") as f:
        f.write('\n  - name: bad\n    kind: exec.native\n    default_env:\n      KEY: "secret\\0value"\n')
    r = wippy.run(folder, "run", "denied")
    assert r.code != 0 and "default_env" in r.stderr and "secret" not in r.stdout + r.stderr, r


@pytest.mark.parametrize("field, words", [
    ("default_env: [a]", "field 'default_env'"),
    ("command_whitelist: echo", "field 'command_whitelist'"),
    ("command_whitelist: [1]", "field 'command_whitelist'"),
    ("default_work_dir: 7", "default_work_dir"),
])
def test_a_bad_entry(wippy, folder, field, words):
    with open(folder / "src" / "_index.yaml", "a", encoding="utf-8") as f:
        f.write(f"\n  - name: bad\n    kind: exec.native\n    {field}\n")
    r = wippy.run(folder, "run", "denied")
    assert r.code != 0 and words in r.stderr and "app:bad" in r.stderr, r


def test_permission(wippy, folder):
    (folder / ".wippy.yaml").write_text('version: "1.0"\nsecurity:\n  strict_mode: true\n')
    r = wippy.run(folder, "run", "denied")
    assert r.stdout == "nil\tInvalid\tpermission denied: access executor\n", r
