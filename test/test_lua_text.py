"""Expressions, text, templates: the programs of lua/text/ check themselves; what only shows from outside is checked here."""
import shutil
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "lua" / "text"


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(PROGRAMS, tmp_path / "text")


@pytest.mark.parametrize("program", ["expressions", "regexp", "diff", "splitter", "rendering"])
def test_program(wippy, folder, program):
    r = wippy.run(folder, "run", program, timeout=60)
    assert r.code == 0 and " checks, 0 failures\n" in r.stdout, r


def test_templates_need_a_permission_in_strict_mode(wippy, folder):
    (folder / ".wippy.yaml").write_text('version: "1.0"\nsecurity:\n  strict_mode: true\n')
    r = wippy.run(folder, "run", "show")
    assert r.stdout == "nil\tPermissionDenied\tnot allowed to access template: app:pages\n", r


@pytest.mark.parametrize("old,new,what", [
    ("engine: jet", "engine: mustache", "field 'engine': expected \"jet\", got \"mustache\""),
    ("set: app:pages", "set: app:none", "resource not found: app:none"),
    ('source: "{{ nobody }}"', 'source: "{{ if x }}"', "template broken_at_run:1: {{ if }} without {{ end }}"),
    ('source: "{{ nobody }}"', "other: 1", "field 'source' is required"),
])
def test_entries_that_are_refused(wippy, folder, old, new, what):
    index = folder / "src" / "_index.yaml"
    index.write_text(index.read_text().replace(old, new))
    r = wippy.run(folder, "run", "rendering")
    assert r.code != 0 and what in r.stderr + r.stdout, r
