"""Modules without a service behind them: the programs of lua/modules/ check themselves."""
import shutil
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "lua" / "modules"


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(PROGRAMS, tmp_path / "modules")


@pytest.mark.parametrize("program", ["base64", "compress", "crypto", "errors", "hash", "json", "jwt", "killed", "metrics", "no_terminal", "os",
                                     "payload", "pbkdf2", "system_info", "uuid", "yaml"])
def test_program(wippy, folder, program):
    r = wippy.run(folder, "run", program, timeout=60)
    assert r.code == 0 and " checks, 0 failures\n" in r.stdout, r


def test_system_exit_ends_the_program(wippy, folder):
    r = wippy.run(folder, "run", "system_exit", timeout=15)
    assert (r.code, r.stdout) == (7, "true\npid.cancel\n"), r


def test_system_asks_for_permission(wippy, folder):
    (folder / ".wippy.yaml").write_text('version: "1.0"\nsecurity:\n  strict_mode: true\n')
    r = wippy.run(folder, "run", "system_denied", timeout=15)
    assert r.code == 0 and " checks, 0 failures\n" in r.stdout, r


def test_a_chunk_cannot_wait_for_a_key(wippy, folder):
    r = wippy.run(folder, "run", "kdf_at_load", timeout=15)
    assert (r.code, r.stdout) == (0, "false string\n"), r


def test_logger(wippy, folder):
    r = wippy.run(folder, "run", "-v", "logger", timeout=15)
    assert r.code == 0 and " checks, 0 failures\n" in r.stdout, r
    for words in ["plain words", "with fields", "of a child", "too detailed", "failed", "what went wrong", "outer.inner", "app:logger:"]:
        assert words in r.stderr, (words, r)
    assert "skipped" not in r.stderr, r


def test_terminal_io(wippy, folder):
    r = wippy.run(folder, "run", "terminal_io", "first", "second one", timeout=15, stdin="line one\r\nline two\nrest of it")
    assert r.stdout == ("args:first,second one\na\t1\ttrue\tnil\n1b\nline:line one\nread:line\nline: two\n"
                        "read:rest of it\nnil\tEOF\nnil\tEOF\n"), r
    assert r.stderr == "to stderr\t2\n" and r.code == 0, r
