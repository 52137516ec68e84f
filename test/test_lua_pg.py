"""Process groups: the programs of lua/pg/ check themselves."""
import shutil
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "lua" / "pg"


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(PROGRAMS, tmp_path / "pg")


def test_groups(wippy, folder):
    r = wippy.run(folder, "run", "groups")
    assert r.code == 0 and " checks, 0 failures\n" in r.stdout, r


def test_upgrade_keeps_groups(wippy, folder):
    r = wippy.run(folder, "run", "keeps")
    assert r.code == 0 and " checks, 0 failures\n" in r.stdout, r


@pytest.mark.parametrize("workers", [1, 3])
def test_crowd(wippy, folder, workers):
    r = wippy.run(folder, "run", "crowd", "--set", f"supervisor.host.worker_count={workers}", timeout=60)
    assert r.code == 0 and " checks, 0 failures\n" in r.stdout, r


def test_nothing_is_allowed_in_strict_mode(wippy, folder):
    (folder / ".wippy.yaml").write_text('version: "1.0"\nsecurity:\n  strict_mode: true\n')
    r = wippy.run(folder, "run", "show")
    assert r.stdout == "nil\tPermissionDenied\tnot allowed to open pg scope: app:scope\n", r


@pytest.mark.parametrize("field, said", [
    ("max_groups: many", "field 'max_groups': expected"),
    ("max_groups: -1", "must not be negative"),
    ("protocol_timeout: soon", "field 'protocol_timeout'"),
    ("monitor_buffer: [1]", "field 'monitor_buffer': expected"),
])
def test_bad_scopes(wippy, project, field, said):
    index = f'version: "1.0"\nnamespace: app\nentries:\n  - name: scope\n    kind: pg.scope\n    {field}\n'
    r = wippy.run(project({"src/_index.yaml": index}), "run", "nothing")
    assert r.code != 0, r
    r = wippy.run(project({"src/_index.yaml": index}), "run", "-x", "app:scope")
    assert r.code == 1 and said in r.stderr, r
