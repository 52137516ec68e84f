"""The event bus: the programs of lua/events/ check themselves; what only shows from outside is checked here."""
import shutil
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "lua" / "events"


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(PROGRAMS, tmp_path / "events")


@pytest.mark.parametrize("program", ["basics", "data", "order", "ends"])
def test_program(wippy, folder, program):
    r = wippy.run(folder, "run", program, timeout=60)
    assert r.code == 0 and " checks, 0 failures\n" in r.stdout, r


@pytest.mark.parametrize("workers", [1, 3, 8])
def test_order_with_workers(wippy, folder, workers):
    r = wippy.run(folder, "run", "order", "--set", f"supervisor.host.worker_count={workers}", timeout=60)
    assert r.code == 0 and " checks, 0 failures\n" in r.stdout, r


def test_nothing_is_allowed_in_strict_mode(wippy, folder):
    (folder / ".wippy.yaml").write_text('version: "1.0"\nsecurity:\n  strict_mode: true\n')
    r = wippy.run(folder, "run", "show")
    assert r.stdout.splitlines() == [
        "nil\tInvalid\tnot allowed to subscribe to events from system: ord*",
        "nil\tInvalid\tnot allowed to send events to system: orders",
    ], r
