"""wippy lint: what it says about the project in lint/, where, and how it ends."""
import json
import os
import pty
import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent / "lint"
HEAD = 'version: "1.0"\nnamespace: app\nentries:\n'
LOCK = "directories:\n    modules: .wippy\n    src: ./src\n"


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(PROJECT, tmp_path / "lint")


@pytest.fixture
def lint(wippy, tmp_path):
    """lint({"a.lua": ...}, yaml, *flags): the findings of a small project as (code, file:line:column, message)."""
    def run(files, yaml, *flags):
        src = tmp_path / "p" / "src"
        src.mkdir(parents=True, exist_ok=True)
        (tmp_path / "p" / "wippy.lock").write_text(LOCK)
        (src / "_index.yaml").write_text(HEAD + yaml)
        for name, text in files.items():
            (src / name).write_text(text)
        r = wippy.run(tmp_path / "p", "lint", "--json", *flags)
        return [(d["code"], place(d), d["message"]) for d in json.loads(r.stdout)["diagnostics"]]
    return run


def place(d):
    return ":".join(str(d[k]) for k in ("file", "line", "column") if k in d)


def report(wippy, folder, *flags):
    r = wippy.run(folder, "lint", "--json", *flags)
    return r, json.loads(r.stdout)


def of(found, entry):
    return [(d["code"], d["severity"], place(d), d["message"]) for d in found["diagnostics"] if d["entry_id"] == entry]


ERROR, WARNING = "error", "warning"
EXPECTED = {
    "app:clean": [],
    "app:shapes": [],
    "app.deep:words": [],
    "app.deep:collider": [],
    "app:syntax": [("P0001", ERROR, "src/syntax.lua:2:11", "unexpected 'the', expected 'then' after the condition")],
    "app:other_syntax": [("P0001", ERROR, "src/_index.yaml:26:44", "unexpected end of file, expected ',' or '}'")],
    "app:undeclared": [
        ("E0101", ERROR, "src/undeclared.lua:2:14",
         'require("time") is not declared in _index.yaml imports or modules'),
        ("E0101", ERROR, "src/undeclared.lua:3:15",
         'require("words") is not declared in _index.yaml imports or modules'),
    ],
    "app:lists": [
        ("E0102", ERROR, "src/_index.yaml:39:15", "there is no module 'jsn'; did you mean 'json'?"),
        ("E0102", ERROR, "src/_index.yaml:39:21",
         "field 'modules': module cannot have a namespace: 'app:shapes'; libraries are listed under 'imports'"),
        ("E0102", ERROR, "src/_index.yaml:39:40", "module 'time' is listed twice"),
        ("E0102", ERROR, "src/_index.yaml:39:46", "there is no module 'nonsense'"),
        ("E0103", ERROR, "src/_index.yaml:41:14",
         "import 'shaps': there is no entry 'app:shaps'; did you mean 'app:shapes'?"),
        ("E0103", ERROR, "src/_index.yaml:42:14", "import 'clean': 'app:clean' is a process.lua, expected a library.lua"),
        ("E0103", ERROR, "src/_index.yaml:44:12", "import 'two': 'app:shapes' is imported as 'one' already"),
    ],
    "app:method": [("E0104", ERROR, "src/method.lua:5:1",
                    "method \"mian\" not found in what the source returns; did you mean 'main'?")],
    "app:silent": [("E0104", ERROR, "src/_index.yaml:57:16",
                    "method \"main\" not found: the source returns nothing, expected 'return { main = ... }'")],
    "app:no_source": [("E0108", ERROR, "src/_index.yaml:59", "source is required")],
    "app:no_method": [("E0108", ERROR, "src/_index.yaml:62", "method is required")],
    "app:names": [
        ("E0106", WARNING, "src/names.lua:6:3", "'time' has no field 'slep'; did you mean 'sleep'?"),
        ("E0105", WARNING, "src/names.lua:7:3", "undefined global 'tiem'; did you mean 'time'?"),
        ("E0106", WARNING, "src/names.lua:8:9", "'process.event' has no field 'EXITS'; did you mean 'EXIT'?"),
        ("E0106", WARNING, "src/names.lua:8:30", "'string' has no field 'formt'; did you mean 'format'?"),
        ("E0107", WARNING, "src/names.lua:9:3", "cannot assign to 'string.trim': 'string' is a read-only table"),
        ("E0105", WARNING, "src/names.lua:10:3", "undefined global 'json'; list module 'json' in 'modules'"),
        ("E0106", WARNING, "src/names.lua:11:10",
         "library 'shapes' (app:shapes) has no field 'sqare'; did you mean 'square'?"),
    ],
    "app:inline": [
        ("E0105", WARNING, "src/_index.yaml:79:16", "undefined global 'undefined_here'"),
        ("E0105", WARNING, "src/_index.yaml:83:9", "undefined global 'missing_too'"),
    ],
    "app:folded": [("E0105", WARNING, "src/_index.yaml:85", "undefined global 'nowhere'")],
    "app:flow": [("E0105", WARNING, "src/_index.yaml:94:95", "undefined global 'nobody'")],
    "app:style": [],
    "app:going": [("E0103", ERROR, "src/_index.yaml:108:23",
                   "import 'round': adding dependency would create a cycle, 'app:round' imports this entry")],
    "app:round": [("E0103", ERROR, "src/_index.yaml:113:23",
                   "import 'going': adding dependency would create a cycle, 'app:going' imports this entry")],
    "app:collision": [
        ("E0105", WARNING, "src/_index.yaml:117:48", "undefined global 'words'"),
        ("E0103", ERROR, "src/_index.yaml:119:14",
         "alias 'shapes' collision: it means both 'app.deep:words' and 'app:shapes'"),
    ],
    "app.deep:rooted": [("E0105", WARNING, "src/deep/rooted.lua:1:35", "undefined global 'rootless'")],
}

STYLE = [
    ("W0006", "src/_index.yaml:100:15", "module 'io' is listed but never used"),
    ("W0006", "src/_index.yaml:100:25", "module 'time' is listed but never used"),
    ("W0006", "src/style.lua:1:7", "'json' is required but never used"),
    ("W0002", "src/style.lua:4:10", "function 'shared' is global; make it local, or name it in the table that is returned"),
    ("W0005", "src/style.lua:8:30", "parameter 'second' is never used; begin its name with '_' if it has to be there"),
    ("W0003", "src/style.lua:9:6", "both sides of the comparison are the same; to ask for NaN write x ~= x"),
    ("W0001", "src/style.lua:9:21", "this block is empty; a comment in it says that it is meant to be"),
    ("W0007", "src/style.lua:11:9", "local variable 'shapes' shadows the local variable declared on line 2"),
    ("W0005", "src/style.lua:15:28", "parameter 'options' is never used; begin its name with '_' if it has to be there"),
    ("W0004", "src/style.lua:16:15", "local variable 'lost' is never used"),
]


@pytest.mark.parametrize("entry", EXPECTED)
def test_finding(wippy, folder, entry):
    _, found = report(wippy, folder)
    assert of(found, entry) == EXPECTED[entry]


def test_all_is_counted(wippy, folder):
    r, found = report(wippy, folder)
    every = [f for fs in EXPECTED.values() for f in fs]
    errors = len([f for f in every if f[1] == ERROR])
    assert {d["entry_id"] for d in found["diagnostics"]} <= set(EXPECTED)
    assert (found["total_entries"], found["error_count"], found["warning_count"], found["hint_count"]) == \
        (len(EXPECTED), errors, len(every) - errors, 0)
    assert len(found["diagnostics"]) == len(every)
    assert (r.code, r.stderr) == (1, f"Error: lint failed: {errors} errors, {len(every) - errors} warnings\n")


def test_style_only_with_rules(wippy, folder):
    _, found = report(wippy, folder, "--rules")
    assert [(d["code"], place(d), d["message"]) for d in found["diagnostics"] if d["entry_id"] == "app:style"] == STYLE
    assert of(found, "app:clean") == []
    _, found = report(wippy, folder, "--rules", "--code", "W0003,w0001", "--code=W0004")
    assert [d["code"] for d in found["diagnostics"]] == ["W0003", "W0001", "W0004"]


def test_text(wippy, folder):
    r = wippy.run(folder, "lint", "--code", "P0001")
    assert r.stdout == """\
src/_index.yaml:26:44: error: unexpected end of file, expected ',' or '}' [P0001] (app:other_syntax)
   26 |     source: "return { main = function() end "
      |                                            ^

src/syntax.lua:2:11: error: unexpected 'the', expected 'then' after the condition [P0001] (app:syntax)
    2 |   if true the
      |           ^

Checked 21 entries: 2 errors, 0 warnings
"""
    assert (r.code, r.stderr) == (1, "Error: lint failed: 2 errors, 0 warnings\n")


def test_nothing_found(wippy, folder):
    r = wippy.run(folder, "lint", "--code", "E0001")
    assert (r.code, r.stdout, r.stderr) == (0, "No issues found\nChecked 21 entries\n", "")


def test_warnings_alone_are_no_failure(wippy, folder):
    r = wippy.run(folder, "lint", "--ns", "app.deep")
    assert r.code == 0 and r.stderr == "" and r.stdout.endswith("Checked 3 entries: 0 errors, 1 warnings\n"), r


@pytest.mark.parametrize("pattern,entries", [
    ("app", 18), ("app.deep", 3), ("app.*", 21), ("app.**", 21), ("*", 21), ("ap", 0), ("ap.*", 0), ("app.deep,app", 21),
    ("app.dee", 0), ("app.deep.*", 3),
])
def test_namespaces(wippy, folder, pattern, entries):
    _, found = report(wippy, folder, "--ns", pattern)
    assert found["total_entries"] == entries


def test_level(wippy, folder):
    _, found = report(wippy, folder, "--level", "error")
    assert found["warning_count"] == 0 and found["error_count"] > 0
    assert {d["severity"] for d in found["diagnostics"]} == {"error"}
    assert report(wippy, folder, "--level=hint")[1]["warning_count"] > 0


def test_limit(wippy, folder):
    all_of_it = report(wippy, folder)[1]
    found = report(wippy, folder, "--limit", "3")[1]
    assert found["diagnostics"] == all_of_it["diagnostics"][:3]
    assert found["error_count"] == all_of_it["error_count"]
    r = wippy.run(folder, "lint", "--code", "E0102", "--limit", "1")
    assert "\n... and 3 more\n\nChecked 21 entries: 4 errors, 0 warnings\n" in r.stdout, r


def test_summary(wippy, folder):
    r = wippy.run(folder, "lint", "--summary", "--code", "E0105,P0001")
    assert r.stdout == """\
NAMESPACE  CODE   SEVERITY  COUNT
app        E0105  warning       7
app        P0001  error         2
app.deep   E0105  warning       1

Checked 21 entries: 2 errors, 8 warnings
"""


@pytest.mark.parametrize("flags,message", [
    (["--level", "fatal"], 'invalid --level "fatal", expected error, warning or hint'),
    (["--limit", "-1"], 'invalid --limit "-1", expected a number from 0 to 100000'),
    (["--limit", "2x"], 'invalid --limit "2x", expected a number from 0 to 100000'),
    (["app"], 'lint takes no arguments, got "app"; --ns chooses namespaces'),
    (["--nope"], "unknown flag: --nope"),
    (["-l", "none.lock"], "lock file not found: none.lock"),
    (["--set", "x"], None),
])
def test_bad_flags(wippy, folder, flags, message):
    r = wippy.run(folder, "lint", *flags)
    assert r.code == 1 and r.stdout == "", r
    assert message is None or r.stderr.startswith(f"Error: {message}"), r


def test_help(wippy, folder):
    r = wippy.run(folder, "lint", "--help")
    assert r.code == 0
    for flag in ("--level", "--ns", "--code", "--limit", "--summary", "--json", "--rules", "--no-color", "--set", "--profile", "-l"):
        assert flag in r.stdout


def test_lock_file_elsewhere(wippy, folder):
    """The other folder is the project: files are named relative to it, and found."""
    r = wippy.run(folder.parent, "lint", "-l", "lint/wippy.lock", "--code", "E0104")
    assert "src/method.lua:5:1: error" in r.stdout and "    5 | return M\n" in r.stdout, r


def on_terminal(wippy, folder, *flags):
    ours, theirs = pty.openpty()
    env = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
    proc = subprocess.Popen([str(wippy.path), "lint", *flags], cwd=folder, stdout=theirs, stderr=subprocess.DEVNULL, env=env)
    os.close(theirs)
    text = b""
    try:
        while chunk := os.read(ours, 4096):
            text += chunk
    except OSError:
        pass
    proc.wait(30)
    os.close(ours)
    return text.decode()


def test_colours(wippy, folder):
    assert "\x1b[31merror" in on_terminal(wippy, folder)
    assert "\x1b[" not in on_terminal(wippy, folder, "--no-color")
    assert "\x1b[" not in on_terminal(wippy, folder, "--json")
    assert "\x1b[" not in wippy.run(folder, "lint").stdout


def test_nothing_runs(lint):
    assert lint({}, '  - {name: a, kind: process.lua, source: "os.exit = nil while true do f() end"}\n',
                "--level", "error") == [
        ("E0104", "src/_index.yaml:4:78", "method \"main\" not found: the source returns nothing, expected 'return { main = ... }'")]


def test_text_from_a_source_is_harmless(wippy, tmp_path):
    src = tmp_path / "src"
    src.mkdir()
    (tmp_path / "wippy.lock").write_text(LOCK)
    (src / "_index.yaml").write_text(HEAD + "  - {name: a, kind: library.lua, source: file://a.lua}\n")
    (src / "a.lua").write_bytes(b"\tlocal x = '\x1b[31m' .. y\n\treturn \xc3\xa9\n")
    r = wippy.run(tmp_path, "lint")
    assert "\x1b" not in r.stdout and r.code == 1
    assert "src/a.lua:2:9: error: unexpected character near 'é' [P0001] (app:a)\n    2 |  return é\n      |         ^\n" in r.stdout, r


def test_shared_globals(lint):
    """A library sees what its importers bring; without one it has to list it itself."""
    library = "  - {name: l, kind: library.lua, source: 'return { f = function() return json, made, nobody end }'}\n"
    user = ("  - {name: u, kind: function.lua, method: main, modules: [json], imports: {l: l},\n"
            "     source: 'made = 1 return { main = l.f }'}\n")
    assert [m for _, _, m in lint({}, library + user)] == ["undefined global 'nobody'"]
    assert [m for _, _, m in lint({}, library)] == [
        "undefined global 'json'; list module 'json' in 'modules'", "undefined global 'made'", "undefined global 'nobody'"]


def test_what_cannot_be_known_is_no_finding(lint):
    yaml = "".join(f"  - {{name: {n}, kind: function.lua, method: main, source: file://{n}.lua, imports: {{lib: lib}}}}\n"
                   for n in "abcd") + "  - {name: lib, kind: library.lua, source: file://lib.lua}\n"
    assert lint({
        "a.lua": "setmetatable(_G, {__index = function() return 1 end}) return { main = function() return anything end }",
        "b.lua": "local t = {} for _, n in ipairs({'main'}) do t[n] = function() end end return t",
        "c.lua": "string = { trim = 1 } return { main = function() return string.trim end }",
        "d.lua": "return setmetatable({}, { __index = function() return function() return lib.any end end })",
        "lib.lua": "local L = {} L.__index = L return setmetatable(L, L)",
    }, yaml) == []


def test_broken_library_hides_nothing_and_invents_nothing(lint):
    yaml = ("  - {name: lib, kind: library.lua, source: 'x = = 1'}\n"
            "  - {name: a, kind: function.lua, method: main, imports: {lib: lib}, source: 'return { main = x, y = lib.y }'}\n"
            "  - {name: b, kind: function.lua, method: main, source: 'return { main = = 1'}\n")
    assert [(c, m) for c, _, m in lint({}, yaml)] == [
        ("P0001", "unexpected '=', expected an expression"), ("P0001", "unexpected '=', expected an expression")]


def test_line_ends(lint):
    assert lint({"a.lua": "local a = 1\r\n\r\nreturn {\r\n  b = nope }\r\n"},
                "  - {name: a, kind: library.lua, source: file://a.lua}\n") == [
        ("E0105", "src/a.lua:4:7", "undefined global 'nope'")]


def test_duplicates_and_workflows(lint):
    assert lint({}, "  - {name: w, kind: workflow.lua, source: 'return { run = 1 }'}\n") == [
        ("E0104", "src/_index.yaml:4:44", 'method "main" not found in what the source returns')]
