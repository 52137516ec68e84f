"""A crowd that does everything to each other at once, at random: the program of lua/chaos/ checks what must hold whatever happens."""
import os
import re
import shutil
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "lua" / "chaos"
# WIPPY_CHAOS_SEEDS=100 tries a hundred seeds, from WIPPY_CHAOS_FROM on.
SEEDS = int(os.environ.get("WIPPY_CHAOS_SEEDS", "4"))
FROM = int(os.environ.get("WIPPY_CHAOS_FROM", "1"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return shutil.copytree(PROGRAMS, tmp_path_factory.mktemp("chaos") / "chaos")


@pytest.mark.parametrize("seed", range(FROM, FROM + SEEDS))
def test_everything_at_once(wippy, folder, seed):
    workers = seed % 4 + 1
    r = wippy.run(folder, "run", "chaos", str(seed), "2", str(20 + seed % 40), "--set", f"supervisor.host.worker_count={workers}", timeout=30)
    assert r.code == 0 and ", 0 failures\n" in r.stdout, r
    monitors, messages = map(int, re.search(r"(\d+) monitors, (\d+) messages", r.stdout).groups())
    assert monitors > 50 and messages > 100, r


def resident_kib(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


@pytest.mark.skipif("WIPPY_SANITIZER" in os.environ, reason="a sanitizer's allocator keeps what it gets")
def test_memory_returns(wippy, folder):
    """After thirty rounds the program is about as large as after the second."""
    sizes = []
    with wippy.start(folder, "run", "chaos", "7", "30", "30", "pause", "--set", "supervisor.host.worker_count=2") as r:
        for i in (2, 30):
            r.wait_for(f"round {i}\n", timeout=60)
            sizes.append(resident_kib(r.proc.pid))
            r.proc.stdin.write("\n")
            r.proc.stdin.flush()
        assert r.wait() == 0, "".join(r.stdout)
    assert sizes[1] - sizes[0] < 8 * 1024, sizes
