"""The `time` module: the programs of lua/time/ check themselves; what only shows from outside is checked here."""
import shutil
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "lua" / "time"


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(PROGRAMS, tmp_path / "time")


@pytest.mark.parametrize("program", ["durations", "values", "layouts", "zones", "timers", "many", "at_load"])
@pytest.mark.parametrize("zone", [None, "America/New_York"])
def test_program(wippy, folder, program, zone):
    r = wippy.run(folder, "run", program, env={"TZ": zone}, timeout=60)
    assert r.code == 0 and " checks, 0 failures\n" in r.stdout, r


def test_timers_end_with_their_process(wippy, folder):
    r = wippy.run(folder, "run", "left_open")
    assert (r.code, r.stdout) == (0, "left\n"), r


def test_a_running_timer_is_no_deadlock(wippy, folder):
    r = wippy.run(folder, "run", "stuck")
    assert r.code != 0 and r.stdout == "waiting\nfired\n" and "deadlock" in r.stderr, r
    assert r.seconds >= 0.1


@pytest.mark.parametrize("tz, summer, winter, unix", [
    ("Europe/Berlin", "2024-07-03 11:46:40 +0200 CEST", "2023-11-14 23:13:20 +0100 CET", 1719992800),
    (":America/New_York", "2024-07-03 05:46:40 -0400 EDT", "2023-11-14 17:13:20 -0500 EST", 1720014400),
    ("/usr/share/zoneinfo/Asia/Kolkata", "2024-07-03 15:16:40 +0530 IST", "2023-11-15 03:43:20 +0530 IST", 1719980200),
    ("XXX-3", "2024-07-03 12:46:40 +0300 XXX", "2023-11-15 01:13:20 +0300 XXX", 1719989200),
    ("", "2024-07-03 09:46:40 +0000 UTC", "2023-11-14 22:13:20 +0000 UTC", 1720000000),
    ("No/Such", "2024-07-03 09:46:40 +0000 UTC", "2023-11-14 22:13:20 +0000 UTC", 1720000000),
])
def test_local_zone(wippy, folder, tz, summer, winter, unix):
    r = wippy.run(folder, "run", "local_zone", env={"TZ": tz})
    assert r.stdout == f"Local\t{summer}\t{winter}\n{unix}\n", r
