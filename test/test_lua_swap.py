"""Stores, databases, folders, executors, policies and token stores that are replaced over and over while they are used: nothing fails but in
a known sentence, and nothing is left behind."""
import os
import shutil
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "lua" / "swap"


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(PROGRAMS, tmp_path / "swap")


def held(r):
    """Descriptors and threads of the program."""
    return len(os.listdir(f"/proc/{r.proc.pid}/fd")), len(os.listdir(f"/proc/{r.proc.pid}/task"))


@pytest.mark.parametrize("workers", [1, 4])
def test_replaced_while_used(wippy, folder, workers):
    with wippy.start(folder, "run", "swap", "200", "--set", f"supervisor.host.worker_count={workers}") as r:
        r.wait_for("warm\n", 60)
        descriptors, threads = held(r)
        print("\n", file=r.proc.stdin, flush=True)
        r.wait_for("done\n", 120)
        # A program of exec.native and its pipes may be there now or not, and a folder that was used since the collection.
        now_descriptors, now_threads = held(r)
        assert now_descriptors <= descriptors + 12 and now_threads <= threads + 4, (descriptors, threads, held(r))
        print("\n", file=r.proc.stdin, flush=True)
        assert r.wait(60) == 0 and "0 unexpected" in "".join(r.stdout), ("".join(r.stdout), "".join(r.stderr))


def test_placeholders_in_folders_executors_and_policies(wippy, folder):
    """${env:NAME} stands for its value in every kind, and what cannot be resolved is said before anything starts."""
    index = folder / "src" / "_index.yaml"
    index.write_text(index.read_text().replace("${env:FOLDER}", "${env:NOBODY}"))
    r = wippy.run(folder, "run", "swap", "1", timeout=30)
    assert r.code == 1 and "app:folder" in r.stderr and "environment variable not found" in r.stderr and "NOBODY" in r.stderr, r
    assert not [f for f in os.listdir(folder) if "env:" in f], os.listdir(folder)
