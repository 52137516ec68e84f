"""Databases and key-value stores: the programs of lua/data/ check themselves; what only shows from outside is checked here: permissions, files
that cannot be had, a full disk, and what is left after the program is killed in the middle of its writes."""
import json
import os
import shutil
import signal
import sqlite3
import subprocess
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "lua" / "data"


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(PROGRAMS, tmp_path / "data")


@pytest.mark.parametrize("program", ["statements", "values", "transactions", "builder", "stores", "changes"])
def test_program(wippy, folder, program):
    r = wippy.run(folder, "run", program, timeout=60)
    assert r.code == 0 and " checks, 0 failures\n" in r.stdout, r


@pytest.mark.parametrize("workers", [1, 3, 8])
def test_crowd_with_workers(wippy, folder, workers):
    r = wippy.run(folder, "run", "crowd", "--set", f"supervisor.host.worker_count={workers}", timeout=60)
    assert r.code == 0 and " checks, 0 failures\n" in r.stdout, r


def test_nothing_is_allowed_in_strict_mode(wippy, folder):
    (folder / ".wippy.yaml").write_text('version: "1.0"\nsecurity:\n  strict_mode: true\n')
    r = wippy.run(folder, "run", "show")
    assert r.stdout.splitlines() == [
        "sql.get: PermissionDenied not allowed to access database: app:main",
        "store.get: raised app:show:19: not allowed to access store: app:cache",
    ], r


# -- entries -------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind, fields, said", [
    ("db.sql.sqlite", {}, "invalid configuration: file path is required"),
    ("db.sql.sqlite", {"file": 5}, "invalid configuration: "),
    ("db.sql.sqlite", {"file": ":memory:", "pool": {"max_lifetime": "0s"}},
     "invalid configuration: max lifetime must be greater than 0"),
    ("db.sql.sqlite", {"file": ":memory:", "pool": {"max_lifetime": "1d"}},
     'invalid configuration: invalid max_lifetime: time: unknown unit "d" in duration "1d"'),
    ("db.sql.sqlite", {"file": "missing/x.db"},
     "failed to create SQLite connection: unable to open database file (missing/x.db, No such file or directory): "),
    ("db.sql.sqlite", {"file": "${env:NOBODY}"}, "environment variable not found"),
    ("store.memory", {"max_size": -1}, "invalid configuration: max size must not be negative"),
    ("store.memory", {"cleanup_interval": "-1s"}, "invalid configuration: cleanup interval must not be negative"),
    ("store.sql", {"table_name": "kv"}, "invalid configuration: database is required"),
    ("store.sql", {"database": "app:main"}, "invalid configuration: table_name is required"),
    ("store.sql", {"database": "app:main", "table_name": "kv; DROP TABLE kv"},
     "invalid configuration: field 'table_name': not a safe SQL identifier: kv; DROP TABLE kv"),
    ("store.sql", {"database": "app:main", "table_name": "kv", "expire_column_name": "1st"},
     "invalid configuration: field 'expire_column_name': not a safe SQL identifier: 1st"),
    ("store.sql", {"database": "app:nothing", "table_name": "kv"}, "resource not found: app:nothing"),
])
def test_entry_is_refused(wippy, folder, kind, fields, said):
    (folder / "src" / "bad").mkdir()
    entry = {"name": "bad", "kind": kind, **fields}
    (folder / "src" / "bad" / "_index.yaml").write_text(
        f'version: "1.0"\nnamespace: app.bad\nentries:\n  - {json.dumps(entry)}\n')
    r = wippy.run(folder, "run", "show")
    assert r.code != 0 and said in r.stderr and "app.bad:bad" in r.stderr, r


def test_file_that_is_no_database(wippy, folder):
    (folder / "app.db").write_text("this is no database, whatever its name may say about it")
    r = wippy.run(folder, "run", "show")
    assert r.code != 0, r
    assert ("failed to create SQLite connection: failed to enable WAL mode: file is not a database (./app.db): the file is "
            "damaged or no SQLite database; restore it") in r.stderr, r
    assert (folder / "app.db").read_text().startswith("this is no database"), "the file was touched"


# -- disks of one's own ----------------------------------------------------------------------------------------------------

def in_mounts(folder, setup, wippy, *args, timeout=60):
    """Run wippy in a mount namespace of its own, in which the shell commands `setup` were run before."""
    script = f'set -e; mkdir -p disk; {setup}; exec "$@"'
    p = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", *wippy.command(args)], cwd=folder,
                       env=wippy.environment({"DATA_FILE": "./disk/app.db"}), capture_output=True, text=True, timeout=timeout)
    if "unshare failed" in p.stderr or "must be superuser" in p.stderr or "permission denied" in p.stderr.lower()[:200]:
        pytest.skip(f"no mounts here: {p.stderr.strip()}")
    return p


def test_read_only_folder(wippy, folder):
    p = in_mounts(folder, "mount -t tmpfs -o size=1m none disk; mount -o remount,ro none disk", wippy, "run", "show")
    assert p.returncode != 0, p
    assert ("failed to create SQLite connection: unable to open database file (./disk/app.db, Read-only file system): "
            in p.stderr), p


def test_read_only_file(wippy, folder):
    p = in_mounts(folder, "mount -t tmpfs -o size=1m none disk; touch disk/app.db; mount -o remount,ro none disk", wippy,
                  "run", "show")
    assert p.returncode != 0, p
    assert "failed to create SQLite connection: failed to enable WAL mode: " in p.stderr and "./disk/app.db" in p.stderr, p


def test_full_disk(wippy, folder):
    """The failure is told, what was acknowledged is there, and nothing half-written is ever read."""
    p = in_mounts(folder, 'mount -t tmpfs -o size=2m none disk; "$@"; cp disk/app.db* .; exit', wippy, "run", "full")
    acknowledged, failure, in_transaction, rollback, counted = p.stdout.splitlines()
    assert int(acknowledged) > 3, p
    assert failure.startswith("Unavailable true database or disk is full (./disk/app.db") and "free some space" in failure, p
    assert in_transaction == "in a transaction: Unavailable" and rollback == "rollback: true", p
    assert counted == f"{acknowledged} {acknowledged}", p
    db = sqlite3.connect(folder / "app.db")
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert db.execute("SELECT count(*), min(length(pad)) FROM t").fetchone() == (int(acknowledged), 50000)


# -- killed ------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("how", ["sql", "store"])
def test_killed_while_writing(wippy, folder, how, slower):
    """Again and again: the file is whole, everything acknowledged is in it, and no transaction by halves."""
    acknowledged = 0
    for turn in range(8):
        with wippy.start(folder, "run", "writer", how) as r:
            r.wait_for(f"{acknowledged + 5 + 3 * turn}\n")
            os.kill(r.proc.pid, signal.SIGKILL)
            r.proc.wait()
            for t in r.readers:
                t.join()
            lines = [line for line in r.stdout if line.endswith("\n")]
        acknowledged = int(lines[-1])
        db = sqlite3.connect(folder / "app.db")
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        last, count, halves = db.execute("SELECT max(n), count(*), sum(half) FROM seen").fetchone()
        assert last in (acknowledged, acknowledged + 1) and count == last == halves, (acknowledged, last, count, halves)
        if how == "store":
            values = {k: json.loads(v) for k, v in db.execute("SELECT key, value FROM kv")}
            assert all(values[f"n:{n}"] == {"n": n, "text": "x" * 500} for n in range(1, last + 1))
            assert len(values) - last in (0, 1), (len(values), last)
        db.close()
        acknowledged = last
