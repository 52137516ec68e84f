"""The environment: the programs of lua/env/ check themselves; what only shows from outside is checked here."""
import shutil
import stat
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "lua" / "env"
OUTSIDE = {"WIPPY_TEST_OUTSIDE": "told by the test"}


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(PROGRAMS, tmp_path / "env")


def test_values(wippy, folder):
    r = wippy.run(folder, "run", "values", env=OUTSIDE)
    assert r.code == 0 and " checks, 0 failures\n" in r.stdout, r
    assert not (folder / "state").exists()  # nothing was set there


def test_files(wippy, folder):
    r = wippy.run(folder, "run", "files")
    assert r.code == 0 and " checks, 0 failures\n" in r.stdout, r
    saved = folder / "state" / "values.env"
    assert saved.read_text() == "SAVED=at the end\nROUTED=in the file\n"
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    assert [p.name for p in saved.parent.iterdir()] == ["values.env"]


def test_at_load(wippy, folder):
    (folder / "state").mkdir()
    (folder / "state" / "values.env").write_text("# by hand\nSAVED = kept # here\n")
    r = wippy.run(folder, "run", "at_load", env=OUTSIDE)
    assert (r.code, r.stdout) == (0, "kept, told by the test\n"), r
    r = wippy.run(folder, "run", "at_load")
    assert r.stdout == "kept, unset outside\n", r


def test_changes_outlive_their_process(wippy, folder):
    """A process that ends while its changes are under way leaves a whole file, and nothing hangs."""
    r = wippy.run(folder, "run", "left_open")
    assert (r.code, r.stdout) == (0, "left\n"), r
    (line,) = (folder / "state" / "values.env").read_text().splitlines()
    assert line.startswith("SAVED=by "), line


def test_nothing_is_allowed_in_strict_mode(wippy, folder):
    (folder / ".wippy.yaml").write_text('version: "1.0"\nsecurity:\n  strict_mode: true\n')
    r = wippy.run(folder, "run", "show", env=OUTSIDE)
    assert r.stdout.splitlines() == [
        "nil\tPermissionDenied\tnot allowed to access environment variable: COUNTER",
        "nil\tPermissionDenied\tnot allowed to set environment variable: COUNTER",
        "0",
    ], r


INDEX = """version: "1.0"
namespace: app
entries:
  - {{name: terminal, kind: terminal.host, lifecycle: {{auto_start: true}}}}
  - name: probe
    kind: process.lua
    meta: {{command: {{name: probe}}}}
    source: file://probe.lua
    method: main
    modules: [io, http_client]
{entries}
"""

PROBE = """
local io = require("io")
local http_client = require("http_client")
local function main(url: string)
    local r, err = http_client.get(url, { overlay_network = "app:proxy" })
    io.print(r and r.status_code or tostring(err))
    return 0
end
return { main = main }
"""


@pytest.mark.parametrize("entries, said", [
    ("  - {name: v, kind: env.variable, variable: V, storage: app:none}",
     "src/_index.yaml:11: entry app:v: field 'storage': referenced storage not found: app:none"),
    ("  - {name: s, kind: env.storage.memory}\n  - {name: v, kind: env.variable, variable: V-1, storage: app:s}",
     "entry app:v: invalid configuration: field 'variable': invalid environment variable name: must only contain alphanumeric"),
    ("  - {name: s, kind: env.storage.file}", "entry app:s: invalid configuration: file path must not be empty"),
    ("  - {name: r, kind: env.storage.router, storages: [app:none]}", "environment storage backend not found: app:none"),
    ("  - {name: proxy, kind: network.socks5, host: 127.0.0.1, port: 1, username: u, password: '${env:NONE}'}",
     "line 11: field 'password': placeholder ${env:NONE}: environment variable not found"),
])
def test_bad_entries(wippy, project, entries, said):
    r = wippy.run(project({"src/_index.yaml": INDEX.format(entries=entries), "src/probe.lua": PROBE}), "run", "probe")
    assert r.code != 0 and said in r.stderr, r


def test_proxy_password_from_a_variable(wippy, project, start_rig, address_server, tmp_path):
    """Declared after what uses it; a password of digits stays text; it shows nowhere."""
    log = str(tmp_path / "proxy.jsonl")
    proxy = start_rig("socks_count.py", "--username", "alice", "--password", "271828", "--host",
                      f"plain.test=127.0.0.1:{address_server.port}", log=log)
    entries = f"""
  - name: proxy
    kind: network.socks5
    host: ${{env:PROXY_HOST|127.0.0.1}}
    port: ${{env:PROXY_PORT|9050}}
    username: ${{env:app:zz_user}}
    password: ${{env:PROXY_PASSWORD}}
  - {{name: zz_password, kind: env.variable, variable: PROXY_PASSWORD, storage: app:zz_os}}
  - {{name: zz_port, kind: env.variable, variable: PROXY_PORT, storage: app:zz_os}}
  - {{name: zz_user, kind: env.variable, storage: app:zz_os, default: alice}}
  - {{name: zz_os, kind: env.storage.os}}
"""
    folder = project({"src/_index.yaml": INDEX.format(entries=entries), "src/probe.lua": PROBE})
    outside = {"PROXY_PASSWORD": "271828", "PROXY_PORT": proxy.port}
    url = f"http://plain.test:{address_server.port}/"
    r = wippy.run(folder, "run", "probe", url, "-v", env=outside)
    assert r.code == 0 and r.stdout.endswith("\n200\n"), r
    assert "271828" not in r.stdout + r.stderr, r
    assert [(q["username"], q["password"]) for q in proxy.records()] == [("alice", "271828")]
    r = wippy.run(folder, "run", "probe", url, env={**outside, "PROXY_PORT": "314159265"})
    assert r.code != 0 and "invalid port" in r.stderr and "271828" not in r.stderr, r
    r = wippy.run(folder, "run", "probe", url, env={**outside, "PROXY_PORT": "s3cret"})
    assert r.code != 0 and "placeholder ${env:PROXY_PORT}: the variable's value is no integer" in r.stderr, r
    assert "s3cret" not in r.stderr, r
    r = wippy.run(folder, "run", "probe", url, env={**outside, "PROXY_PASSWORD": None})
    assert r.code != 0 and "placeholder ${env:PROXY_PASSWORD}: environment variable not found" in r.stderr, r
