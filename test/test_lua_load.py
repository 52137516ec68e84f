"""Many processes and many messages: nothing is lost, doubled or out of order, whichever workers it crosses."""
import os
import shutil
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "lua" / "load"
# Sanitizers need many times the memory and the time.
SANITIZED = "WIPPY_SANITIZER" in os.environ
CROWD = 5000 if SANITIZED else 200000
BEYOND_ONE_WORKER = 5000  # so many live where they were spawned before others are made elsewhere


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return shutil.copytree(PROGRAMS, tmp_path_factory.mktemp("load") / "load")


def run(wippy, folder, workers, *command):
    r = wippy.run(folder, "run", "--set", f"supervisor.host.worker_count={workers}", *command, timeout=120)
    assert r.code == 0 and " checks, 0 failures\n" in r.stdout, r


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_crowd(wippy, folder, workers):
    """200,000 processes that live at once all answer, twice, and end."""
    run(wippy, folder, workers, "crowd", str(CROWD))


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("senders, receivers, amount", [(1, 1, 5000), (8, 1, 1000), (1, 8, 1000), (12, 12, 200)])
def test_order(wippy, folder, workers, senders, receivers, amount):
    if SANITIZED:
        amount //= 5
    run(wippy, folder, workers, "order", str(senders), str(receivers), str(amount))


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_spawn_in_a_crowd(wippy, folder, workers):
    """What is done to a child right after spawn() holds, also when another worker makes it later."""
    run(wippy, folder, workers, "ahead", str(BEYOND_ONE_WORKER))


@pytest.mark.parametrize("workers, claimers", [(1, 3), (3, 3), (4, 8)])
def test_names_claimed_at_once(wippy, folder, workers, claimers):
    """Whoever finds a name just claimed by another finds a process that takes messages."""
    run(wippy, folder, workers, "claims", "5" if SANITIZED else "40", str(claimers))
