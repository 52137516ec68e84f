"""The registry of a running program: the programs of lua/registry/ check themselves; what only shows from outside is checked here."""
import os
import shutil
import sqlite3
import stat
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "lua" / "registry"


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(PROGRAMS, tmp_path / "registry")


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("program", ["reading", "changing", "versions", "events", "live", "killed", "crowd"])
def test_program(wippy, folder, program, workers):
    r = wippy.run(folder, "run", program, "--set", f"supervisor.host.worker_count={workers}", timeout=60)
    assert r.code == 0 and " checks, 0 failures\n" in r.stdout, r


def test_nothing_is_allowed_in_strict_mode(wippy, folder):
    (folder / ".wippy.yaml").write_text('version: "1.0"\nsecurity:\n  strict_mode: true\n')
    r = wippy.run(folder, "run", "denied")
    assert r.stdout.splitlines() == [
        "nil\tPermissionDenied\tnot allowed to access entry: app:plain",
        "0\t0\t0",
        "nil\tPermissionDenied\tnot allowed to access entry: app:plain",
        "nil\tPermissionDenied\tnot allowed to apply registry changes",
        "nil\tPermissionDenied\tregistry version change is not allowed",
    ], r


# -- history ---------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("flag", ["registry.history_type=nil", "registry.enable_history=false"])
def test_without_history(wippy, folder, flag):
    r = wippy.run(folder, "run", "nohistory", "--set", flag)
    assert r.stdout.splitlines() == [
        "v1",
        "nil\tInternal\thistory not available",
        "nil\tInternal\thistory not available",
        "nil\tInternal\thistory not available",
        "nil\tInternal\tapply version: rollback not supported: no history is kept",
    ], r


def test_memory_is_lost_at_exit(wippy, folder):
    for _ in range(2):
        assert wippy.run(folder, "run", "remember", "add").stdout == "found 0 at v0 team infra\n"


def test_an_unknown_type_is_memory_with_a_warning(wippy, folder):
    r = wippy.run(folder, "run", "remember", "add", "-v", "--set", "registry.history_type=postgres")
    assert r.code == 0 and "registry.history_type: unknown type postgres; history is kept in memory" in r.stderr, r


def with_sqlite(folder, path=None):
    (folder / ".wippy.yaml").write_text('version: "1.0"\nregistry:\n  history_type: sqlite\n'
                                        + (f"  history_path: {path}\n" if path else ""))


def test_sqlite_survives(wippy, folder):
    with_sqlite(folder)
    say = lambda *args: wippy.run(folder, "run", "remember", *args).stdout  # noqa: E731
    assert say("add") == "found 0 at v0 team infra\n"
    assert say("add") == "found 1 at v1 team infra\n"
    assert say("plain") == "found 2 at v2 team infra\n"
    assert say("add") == "found 2 at v3 team changed\n"
    assert say("back") == "found 3 at v4 team changed\n"
    assert say("add") == "found 1 at v1 team infra\n"
    assert say() == "found 2 at v5 team infra\n"
    file = folder / ".wippy" / "registry.db"
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    with sqlite3.connect(file) as db:
        assert db.execute("SELECT id, parent FROM registry_versions ORDER BY id").fetchall() == [
            (1, 0), (2, 1), (3, 2), (4, 3), (5, 1)]


def test_files_change_under_the_history(wippy, folder):
    with_sqlite(folder, "kept.db")
    say = lambda *args: wippy.run(folder, "run", "remember", *args)  # noqa: E731
    assert say("add").stdout == "found 0 at v0 team infra\n"
    index = folder / "src" / "_index.yaml"
    index.write_text(index.read_text().replace("team: infra", "team: other"))
    assert say().stdout == "found 1 at v1 team other\n"
    # The files now define what the history created: the history wins.
    index.write_text(index.read_text() + "\n  - name: kept\n    kind: registry.entry\n    n: 40\n")
    assert say().stdout == "found 1 at v1 team other\n"


@pytest.mark.parametrize("damage, words", [
    ("UPDATE registry_versions SET changes = '[{]'", "stored changes"),
    ("UPDATE registry_versions SET changes = '[{\"kind\": \"x\"}]'", "a stored change has an unknown form"),
    ("UPDATE registry_versions SET parent = 7", "version 1 does not continue the history"),
    ("UPDATE registry_head SET version = 7", "the head, version 7, is missing"),
])
def test_a_damaged_history_stops_the_start(wippy, folder, damage, words):
    with_sqlite(folder, "kept.db")
    assert wippy.run(folder, "run", "remember", "add").code == 0
    with sqlite3.connect(folder / "kept.db") as db:
        db.execute(damage)
    r = wippy.run(folder, "run", "remember")
    assert r.code == 1 and words in r.stderr and r.stdout == "", r


def test_a_file_that_cannot_be_opened(wippy, folder):
    with_sqlite(folder, "no/such/folder/kept.db")
    r = wippy.run(folder, "run", "remember")
    assert r.code == 1 and "registry.history_path: cannot open 'no/such/folder/kept.db'" in r.stderr, r


# -- start -----------------------------------------------------------------------------------------------------------------

def test_a_circle_is_a_warning(wippy, project):
    folder = project({"src/_index.yaml": """
namespace: app
entries:
  - {name: a, kind: registry.entry, host: b}
  - {name: b, kind: registry.entry, host: a}
  - {name: terminal, kind: terminal.host, lifecycle: {auto_start: true}}
  - name: main
    kind: process.lua
    meta: {command: {name: main}}
    source: "return { main = function() return 0 end }"
    method: main
"""})
    r = wippy.run(folder, "run", "main", "-v")
    assert r.code == 0 and "refer to each other in a circle" in r.stderr, r


# -- permissions -----------------------------------------------------------------------------------------------------------

PERMISSIONS = """
namespace: app
entries:
  - {name: processes, kind: process.host, lifecycle: {auto_start: true}}
  - {name: plain, kind: registry.entry, x: 1}
  - {name: other, kind: registry.entry}
  - name: see_plain
    kind: security.policy
    policy: {actions: registry.get, resources: "app:plain", effect: allow}
    groups: [tests]
  - name: changes
    kind: security.policy
    policy: {actions: registry.apply, resources: "*", effect: allow}
    groups: [tests]
  - name: code
    kind: process.lua
    method: main
    modules: [registry]
    source: |
      local registry = require("registry")
      local function main()
        local s = registry.snapshot()
        print("found", #registry.find({}), #s:entries(), #s:find({}), #s:namespace("app"))
        print("plain", registry.get("app:plain") ~= nil, s:get("app:plain") ~= nil)
        local _, err = registry.get("app:other")
        print("other", err:kind(), err:message(), err:details().hint ~= nil)
        print("apply", s:changes():delete("app:other"):apply())
        local _, denied = registry.apply_version(registry.current_version())
        print("version", denied:kind())
        print("over")
      end
      return { main = main }
  - name: service
    kind: process.service
    process: code
    host: app:processes
    lifecycle: {auto_start: true, security: {actor: {id: tester}, groups: ["app:tests"]}}
"""


def test_only_what_a_policy_allows(wippy, project):
    with wippy.start(project({"src/_index.yaml": PERMISSIONS}), "run") as run:
        run.wait_for("over")
        said = "".join(run.stderr)
    for line in ("found 1 1 1 1", "plain true true", "other PermissionDenied not allowed to access entry: app:other true",
                 "apply registry.Version{v1} nil", "version PermissionDenied"):
        assert line in said.replace("\\t", " "), said
