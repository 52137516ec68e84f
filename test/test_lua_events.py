"""The event bus: the programs of lua/events/ check themselves; what only shows from outside is checked here."""
import json
import shutil
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "lua" / "events"


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(PROGRAMS, tmp_path / "events")


@pytest.mark.parametrize("program", ["basics", "data", "order", "ends", "services"])
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


@pytest.mark.parametrize("how", ["flag", "long flag", "configuration"])
def test_logs_as_events(wippy, folder, how):
    flags = {"flag": ["-e"], "long flag": ["--event-streams"], "configuration": []}[how]
    if how == "configuration":
        (folder / ".wippy.yaml").write_text('version: "1.0"\nlogmanager:\n  stream_to_events: true\n')
    r = wippy.run(folder, "run", "logs", *flags)
    *lines, last = r.stdout.splitlines()
    assert last == "2 records" and r.stderr == "", r
    assert [json.loads(line) for line in lines] == [
        {"system": "logs", "kind": "logs.entry", "path": "mine", "level": "info", "logger": "mine", "message": "hello",
         "time": "number", "answer": 42, "list": [1, 2], "location": "app:logs:13"},
        {"system": "logs", "kind": "logs.entry", "path": "mine.deep", "level": "error", "logger": "mine.deep",
         "message": "trouble", "time": "number", "half": 0.5, "yes": True, "location": "app:logs:14"},
    ], r


def test_logs_stay_out_unless_asked(wippy, folder):
    r = wippy.run(folder, "run", "logs")
    assert r.stdout == "0 records\n", r
