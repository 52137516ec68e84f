"""Processes, functions and channels: the programs of lua/actor/ check themselves; what only shows from outside is checked here."""
import shutil
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "lua" / "actor"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return shutil.copytree(PROGRAMS, tmp_path_factory.mktemp("actor") / "actor")


@pytest.mark.parametrize("program", ["retry", "process_function", "pools", "upgrade", "subscribe", "messages", "spawning",
                                     "relations", "names", "channels", "calls", "context", "misbehave"])
@pytest.mark.parametrize("workers", [1, 3])
def test_program(wippy, folder, program, workers):
    r = wippy.run(folder, "run", program, "--set", f"supervisor.host.worker_count={workers}", timeout=60)
    assert r.code == 0 and " checks, 0 failures\n" in r.stdout, r
