"""The command line: init, run, version, help; exit codes, bad input, signals, configuration and logs."""
import json
import re
import signal
import time

import pytest

HEAD = """\
version: "1.0"
namespace: app
entries:
  - {name: terminal, kind: terminal.host, lifecycle: {auto_start: true}}
  - name: go
    kind: process.lua
    meta: {command: {name: go, short: Does what it is told}}
    source: file://go.lua
    method: main
    modules: [io, logger, time, process]
"""
GO = """\
local io = require("io")
local logger = require("logger")
local time = require("time")
local results = { three = 3, half = 3.9, negative = -1, big = 256 + 7, nan = 0 / 0, infinite = 1 / 0, yes = true, no = false,
  text = "said at the end", table = { 1 } }
local function main(how, ...)
  io.print("started " .. tostring(how))
  if how == "nothing" or how == nil then return end
  if how == "error" then error("it broke") end
  if how == "error object" then error(errors.new({ message = "typed", kind = errors.NOT_FOUND })) end
  if how == "second" then return nil, "refused" end
  if how == "args" then
    for _, a in ipairs({ ... }) do io.print("[" .. a .. "]") end
    for _, a in ipairs(io.args()) do io.print("<" .. a .. ">") end
    return 0
  end
  if how == "log" then logger:info("from lua", { n = 1 }) return 0 end
  if how == "wait" then
    local event = process.events():receive()
    io.print("event " .. event.kind)
    return 7
  end
  if how == "deaf" then time.sleep("60s") end
  if how == "busy" then while true do end end
  return results[how]
end
return { main = main }
"""


@pytest.fixture
def go(project):
    """A project with one command."""
    return project({"src/_index.yaml": HEAD, "src/go.lua": GO})


# -- commands ------------------------------------------------------------------------------------------------------------------

def test_without_a_command_the_help_is_shown(wippy, tmp_path):
    r = wippy.run(tmp_path)
    assert r.code == 0 and r.stderr == ""
    for word in ("init", "run", "version", "help", "--config", "--silent"):
        assert word in r.stdout
    assert wippy.run(tmp_path, "help").code == 0
    for command in ("init", "run", "version", "help"):
        as_flag, as_word, short = wippy.run(tmp_path, command, "--help"), wippy.run(tmp_path, "help", command), wippy.run(tmp_path, command, "-h")
        assert as_flag.code == 0 and f"Usage: wippy {command}" in as_flag.stdout
        assert as_flag.stdout == as_word.stdout == short.stdout


def test_version(wippy, tmp_path):
    full, short = wippy.run(tmp_path, "version"), wippy.run(tmp_path, "version", "--short")
    assert re.fullmatch(r"\S+\n", short.stdout) and short.stdout.strip() in full.stdout


@pytest.mark.parametrize("args, words", [
    (["frobnicate"], 'unknown command "frobnicate" for "wippy"'), (["run", "--frobnicate"], "unknown flag: --frobnicate"),
    (["-Z", "run"], "unknown shorthand flag: 'Z'"), (["run", "--host"], "flag needs an argument: --host"), (["run", "-x"], "flag needs an argument"),
    (["version", "--short=maybe"], "takes no value"), (["help", "frobnicate"], "frobnicate"), (["run", "nope"], 'command "nope" not found'),
    (["run", "-x", "app"], "missing separator ':'"), (["run", "-x", "app:nope"], "app:nope"), (["run", "--host", "app:nope", "go"], "app:nope"),
    (["run", "--set", "x=1", "go"], "key must be section.path"), (["run", "--set", "a.b", "go"], "expected section.path=value"),
    (["run", "-o", "x", "go"], "invalid override: x"), (["run", "-o", "app:nope:a=1", "go"], "no entry found for app:nope"),
    (["run", "-o", "app:go:kind=7", "go"], "kind override must be a string"), (["run", "--profile", "nope", "go"], "unknown profile 'nope'"),
    (["--config", "missing.yaml", "run", "go"], "failed to read config file: "),
    (["run", "--set", "supervisor.host.worker_count=many", "go"], "--set: supervisor.host.worker_count: expected an integer, got string many"),
    (["run", "--set", "logger.encoding=xml", "go"], "--set: logger.encoding: expected")])
def test_a_wrong_command_line_is_one_clear_error(wippy, go, args, words):
    r = wippy.run(go, *args)
    assert r.code == 1 and r.stdout == "", r
    assert r.stderr.startswith("Error: ") and r.stderr.count("\n") == 1 and words in r.stderr, r


def test_init_keeps_what_is_not_its_own(wippy, tmp_path):
    lock = tmp_path / "wippy.lock"
    lock.write_text("directories:\n  src: old\nmodules:\n  - name: acme/http\n    version: v1.2.3\noptions:\n  unpack_modules: true\n")
    assert wippy.run(tmp_path, "init", "-d", "./lua", "--modules-dir=mods").code == 0
    text = lock.read_text()
    assert "src: ./lua" in text and "modules: mods" in text and "acme/http" in text and "v1.2.3" in text and "unpack_modules: true" in text
    assert sorted(p.name for p in tmp_path.iterdir()) == ["wippy.lock"]
    r = wippy.run(tmp_path, "init", "-l", "other.lock")
    assert (r.code, r.stderr) == (0, "") and r.stdout == "Wrote other.lock: definitions live in ./src, modules and state in .wippy.\n", r
    r = wippy.run(tmp_path, "init", "-s", "-l", "other.lock")
    assert (r.code, r.stdout, r.stderr) == (0, "", ""), r
    assert (tmp_path / "other.lock").read_text() == "directories:\n    modules: .wippy\n    src: ./src\n"


def test_init_does_not_overwrite_what_it_cannot_read(wippy, tmp_path):
    lock = tmp_path / "wippy.lock"
    lock.write_text("directories: [\n")
    r = wippy.run(tmp_path, "init")
    assert r.code == 1 and "wippy.lock" in r.stderr, r
    assert lock.read_text() == "directories: [\n"


def test_run_list(wippy, go, tmp_path):
    r = wippy.run(go, "run", "list")
    assert r.code == 0
    assert r.stdout == "Available commands:\n\n  go  Does what it is told  (app:go)\n\nRun with: wippy run <command>\n"
    (go / "src/_index.yaml").write_text("namespace: app\nentries: []\n")
    r = wippy.run(go, "run", "list")
    assert r.code == 0 and r.stdout.startswith("No commands found.")
    (go / "wippy.lock").unlink()
    r = wippy.run(go, "run", "list")
    assert r.code == 1 and "lock file not found" in r.stderr


def test_help_kinds(wippy, tmp_path):
    r = wippy.run(tmp_path, "help", "kinds")
    kinds = [line.split(None, 1) for line in r.stdout.splitlines() if line.startswith("  ")]
    assert r.code == 0 and ["network.socks5", "an overlay network: a SOCKS5 proxy"] in kinds and "process.lua" in r.stdout
    assert all(len(k) == 2 and k[1].strip() not in ("", "(null)") for k in kinds), kinds


@pytest.mark.parametrize("flags", [[], ["--host", "app:terminal"]])
def test_arguments_reach_the_command(wippy, go, flags):
    r = wippy.run(go, "run", *flags, "go", "args", "two words", "--", "--fast", "-v", "")
    assert r.stdout == "started args\n[two words]\n[--fast]\n[-v]\n[]\n<args>\n<two words>\n<--fast>\n<-v>\n<>\n", r


def test_a_word_names_a_command_whatever_exec_says(wippy, go):
    r = wippy.run(go, "run", "-x", "app:go", "args")
    assert r.code == 1 and 'command "args" not found' in r.stderr, r


def test_exec_without_arguments(wippy, go):
    for how in (["-x", "app:go"], ["--exec=app:go"], ["-xapp:go"]):
        r = wippy.run(go, "run", *how)
        assert (r.code, r.stdout, r.stderr) == (0, "started nil\n", ""), r


# -- how a command ends --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("how, code, out, err", [
    ("nothing", 0, "", ""), ("three", 3, "", ""), ("half", 3, "", ""), ("negative", 255, "", ""), ("big", 7, "", ""), ("nan", 1, "", ""),
    ("infinite", 1, "", ""), ("yes", 0, "", ""), ("no", 1, "", ""), ("text", 0, "said at the end\n", ""), ("table", 0, "", ""),
    ("error", 1, "", "app:go:9: it broke\n  at app:go:9 (function)\n"),
    ("error object", 1, "", "typed\n  at app:go:10 (function)\n"), ("second", 1, "", "refused\n")])
def test_exit_codes(wippy, go, how, code, out, err):
    r = wippy.run(go, "run", "go", how)
    assert (r.code, r.stdout, r.stderr) == (code, f"started {how}\n{out}", err), r


# -- bad input -----------------------------------------------------------------------------------------------------------------

def added(text):
    return HEAD + text


BAD = {
    "not YAML": (added("  - name: [\n"), r"src/_index\.yaml:1[12]"),
    "duplicate key": (added("  - name: a\n    kind: registry.entry\n    kind: registry.entry\n"), r"src/_index\.yaml:13:5: duplicate key 'kind'"),
    "no name": (added("  - kind: registry.entry\n"), r"src/_index\.yaml.*11.*entry\[2\]\.name: name is required"),
    "no kind": (added("  - name: a\n"), r"src/_index\.yaml.*11.*entry\[2\]\.kind: kind is required"),
    "neither entries nor entry": ("namespace: app\n", r"src/_index\.yaml: entries: either entries array or single entry"),
    "duplicate id": (added("  - name: go\n    kind: registry.entry\n"), r"src/_index\.yaml:11: entry app:go: already defined at src/_index\.yaml:5"),
    "unknown kind": (added("  - name: a\n    kind: foo.bar\n"), r"src/_index\.yaml:11: entry app:a: field 'kind': no listener for kind 'foo\.bar'"),
    "wrong type": (added("  - name: a\n    kind: network.socks5\n    host: h\n    port: ninety\n"),
                   r"src/_index\.yaml:11: entry app:a: .*line 14: field 'port': expected integer, got string \"ninety\""),
    "out of range": (added("  - name: a\n    kind: network.socks5\n    host: h\n    port: 70000\n"),
                     r"src/_index\.yaml:11: entry app:a: .*network: invalid port.*line 14.*70000"),
    "missing field": (added("  - name: a\n    kind: network.socks5\n    port: 1\n"), r"src/_index\.yaml:11: entry app:a: .*network: host is required"),
    "unknown overlay kind": (added("  - name: a\n    kind: network.carrier-pigeon\n"), r"src/_index\.yaml:11: entry app:a: .*network\.carrier-pigeon"),
    "missing source": (added("  - name: a\n    kind: process.lua\n    source: file://gone.lua\n"),
                       r"src/_index\.yaml: entry app:a: line 13: field 'source': failed to read file gone\.lua: no such file"),
    "source outside": (added("  - name: a\n    kind: process.lua\n    source: file://../../etc/passwd\n"),
                       r"src/_index\.yaml: entry app:a: line 13: field 'source': path traversal detected in file path: \.\./\.\./etc/passwd"),
    "no source": (added("  - name: a\n    kind: process.lua\n"), r"src/_index\.yaml:11: entry app:a: .*source is required"),
    "syntax": (added("  - name: a\n    kind: process.lua\n    method: main\n    source: |\n      local x =\n      return x\n"),
               r"src/_index\.yaml:11: entry app:a: .*app:a:2:1: "),
    "unknown module": (added("  - name: a\n    kind: process.lua\n    source: return {}\n    modules: [nope]\n"),
                       r"src/_index\.yaml:11: entry app:a: field 'modules': .*nope"),
    "unknown import": (added("  - name: a\n    kind: process.lua\n    source: return {}\n    imports: {lib: app:nope}\n"),
                       r"src/_index\.yaml:11: entry app:a: field 'imports': .*app:nope"),
    "two terminals": (added("  - {name: a, kind: terminal.host}\n"), r"multiple terminal hosts found \(app:a, app:terminal\), use --host"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_definitions_are_one_clear_error_and_nothing_starts(wippy, go, case):
    text, words = BAD[case]
    (go / "src/_index.yaml").write_text(text)
    r = wippy.run(go, "run", "go")
    assert r.code == 1 and r.stdout == "", r
    assert r.stderr.startswith("Error: ") and r.stderr.count("\n") == 1, r
    assert re.search(words, r.stderr), r
    # Nor without a command, which needs no terminal; and at once, not after a time-out.
    if case != "two terminals":
        r = wippy.run(go, "-s", "run", timeout=10)
        assert r.code == 1 and re.search(words, r.stderr), r


def test_a_bad_file_stops_the_good_ones(wippy, go):
    (go / "src/sub").mkdir()
    (go / "src/sub/_index.yaml").write_text("namespace: app.sub\nentries:\n  - name: a\n")
    (go / "src/sub/unrelated.yaml").write_text("just: data\n")
    (go / "src/sub/more.yaml").write_text("namespace: app.more\nentries:\n  - kind: x\n")
    r = wippy.run(go, "run", "go")
    assert r.code == 1 and r.stdout == "", r
    # Every bad file is told of, the last line says how many.
    assert "src/sub/_index.yaml" in r.stderr and "src/sub/more.yaml" in r.stderr and "(and 1 more, above)" in r.stderr, r


@pytest.mark.parametrize("lock, words", [
    ("directories: {src: ''}\n", "directories.src cannot be empty"), ("directories: {modules: ''}\n", "directories.modules cannot be empty"),
    ("modules: [{name: bad, version: v1}]\n", 'invalid format (expected org/module, got "bad")'), ("modules: [{name: a/b}]\n", 'module "a/b" has empty version'),
    ("replacements: [{from: a/b, to: ./gone}]\n", 'replacement path "./gone" does not exist'), (": [", "failed to load lock file: ")])
def test_a_bad_lock_file(wippy, go, lock, words):
    (go / "wippy.lock").write_text(lock)
    r = wippy.run(go, "run", "go")
    assert r.code == 1 and words in r.stderr and r.stderr.count("\n") == 1, r


def test_a_chunk_that_fails(wippy, go):
    (go / "src/go.lua").write_text('error("at load")')
    r = wippy.run(go, "run", "go")
    assert r.code == 1 and "at load" in r.stderr and r.stdout == "", r
    (go / "src/go.lua").write_text("return {}")
    r = wippy.run(go, "run", "go")
    assert r.code == 1 and 'method "main" not found' in r.stderr, r


# -- signals -------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_stops_in_order(wippy, go, number):
    with wippy.start(go, "run") as run:
        run.wait_for("runtime ready")
        run.signal(number)
        assert run.wait(10) == 0
        log = "".join(run.stderr)
    order = ["received shutdown signal", "shutting down (press Ctrl+C again to force exit)", "stopped"]
    assert [log.index(w) for w in order] == sorted(log.index(w) for w in order)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_listens_ends_with_its_own_code(wippy, go, number):
    with wippy.start(go, "run", "go", "wait") as run:
        run.wait_for("started wait")
        run.signal(number)
        assert run.wait(10) == 7
        assert "".join(run.stdout) == "started wait\nevent pid.cancel\n"


def test_a_second_signal_ends_at_once(wippy, go, slower):
    with wippy.start(go, "run", "go", "deaf") as run:
        run.wait_for("started deaf")
        run.signal(signal.SIGINT)
        time.sleep(0.3)
        assert run.proc.poll() is None
        began = time.monotonic()
        run.signal(signal.SIGTERM)
        assert run.wait(10) == 1 and time.monotonic() - began < slower


def test_a_command_that_does_not_listen_is_stopped_in_its_time(wippy, go):
    with wippy.start(go, "run", "--set", "shutdown.timeout=500ms", "go", "deaf") as run:
        run.wait_for("started deaf")
        began = time.monotonic()
        run.signal()
        assert run.wait(10) in (0, 1) and time.monotonic() - began < 3


def test_signals_reach_a_program_that_computes(wippy, go):
    with wippy.start(go, "run", "--set", "shutdown.timeout=500ms", "go", "busy") as run:
        run.wait_for("started busy")
        run.signal(signal.SIGINT)
        time.sleep(0.2)
        if run.proc.poll() is None:
            run.signal(signal.SIGINT)
        assert run.wait(10) in (0, 1)


# -- configuration -------------------------------------------------------------------------------------------------------------

def test_overrides(wippy, go):
    r = wippy.run(go, "run", "-o", "app:go:meta.command.name=other,app:go:method=main", "other", "three")
    assert r.code == 3, r
    (go / ".wippy.yaml").write_text('version: "1.0"\noverride:\n  app:go:meta.command.name: renamed\n')
    assert wippy.run(go, "run", "renamed", "three").code == 3
    # The flag wins over the file.
    assert wippy.run(go, "run", "-o", "app:go:meta.command.name=last", "last", "three").code == 3


def test_set_and_profiles_and_files_in_order(wippy, go):
    (go / "a.yaml").write_text('version: "1.0"\nlogger: {encoding: console}\nprofiles:\n  j: {logger: {encoding: json}}\n  c: {logger: {encoding: console}}\n')
    (go / "b.yaml").write_text('version: "1.0"\nlogger: {encoding: json}\n')

    def is_json(*args):
        r = wippy.run(go, "-v", "run", *args, "go", "nothing")
        assert r.code == 0, r
        return '"msg":"runtime ready"' in r.stdout
    assert not is_json("--config", "a.yaml")
    assert is_json("--config", "a.yaml", "--config", "b.yaml")
    assert not is_json("--config", "b.yaml", "--config", "a.yaml")
    assert is_json("--config", "a.yaml", "--profile", "j")
    assert not is_json("--config", "a.yaml", "--profile", "j", "--profile", "c")
    assert is_json("--config", "a.yaml", "--profile", "c", "--set", "logger.encoding=json")


DISABLING = """version: "1.0"
disable:
  entries: ["app:one"]
profiles:
  more: {disable: {entries: {add: ["app:two"]}}}
  less: {disable: {entries: {remove: ["app:one"]}, namespaces: {add: [other]}}}
  only: {disable: {entries: ["app:two"]}}
"""


@pytest.mark.parametrize("profiles, kept", [
    ([], "app:two other:three"),
    (["more"], "other:three"),
    (["less"], "app:one app:two"),
    (["more", "less"], "app:one"),
    (["less", "more"], "app:one"),
    (["only"], "app:one other:three"),
])
def test_profiles_disable_more_or_less(wippy, project, profiles, kept):
    index = 'version: "1.0"\nnamespace: {}\nentries:\n'
    folder = project({
        "src/_index.yaml": index.format("app") + """
  - {name: terminal, kind: terminal.host, lifecycle: {auto_start: true}}
  - {name: one, kind: registry.entry, text: x}
  - {name: two, kind: registry.entry, text: x}
  - name: show
    kind: process.lua
    meta: {command: {name: show}}
    source: |
      local registry = require("registry")
      local io = require("io")
      return {main = function()
          local ids = {}
          for i, e in ipairs(registry.find({[".kind"] = "registry.entry"})) do ids[i] = e.id end
          table.sort(ids)
          io.print(table.concat(ids, " "))
          return 0
      end}
    method: main
    modules: [registry, io]
""", "src/other/_index.yaml": index.format("other") + "  - {name: three, kind: registry.entry, text: x}\n",
        ".wippy.yaml": DISABLING})
    r = wippy.run(folder, "run", *[w for p in profiles for w in ("--profile", p)], "show")
    assert r.stdout == kept + "\n", r


@pytest.mark.parametrize("body, words", [
    ("disable: {entries: {add: [\"app:x\"]}}", "disable.entries: expected a list of patterns, got map"),
    ("disable: {namespaces: 5}", "disable.namespaces: expected a list of patterns, got"),
    ("profiles: {a: {disable: {entries: {add: x}}}}", "profile 'a': disable.entries: add and remove are lists of patterns"),
    ("profiles: {a: {vars: {home: \"${env:HOME}\"}}}", "profile 'a': ${env:...} is not allowed in its variable 'home'"),
])
def test_profiles_that_cannot_be_used(wippy, project, body, words):
    profiles = "" if "profiles" in body else "profiles: {a: {}}\n"
    folder = project({"src/_index.yaml": 'version: "1.0"\nnamespace: app\nentries: []\n',
                      ".wippy.yaml": f'version: "1.0"\n{profiles}{body}\n'})
    r = wippy.run(folder, "run", "--profile", "a", "show")
    assert r.code == 1 and words in r.stderr and len(r.stderr.strip().splitlines()) == 1, r


def test_unknown_keys_are_warned_of_with_their_line(wippy, go):
    (go / ".wippy.yaml").write_text('version: "1.0"\nnetwork_service:\n  default_netwrk: app:tor\nlogger:\n  encodin: json\n')
    r = wippy.run(go, "-v", "run", "go", "nothing")
    assert r.code == 0
    assert "WARN\tconfig\t.wippy.yaml:3: network_service.default_netwrk: unknown key, ignored" in r.stderr, r
    assert ".wippy.yaml:5: logger.encodin: unknown key, ignored" in r.stderr, r


def test_an_unknown_section_is_warned_of_with_its_line(wippy, go):
    (go / ".wippy.yaml").write_text('version: "1.0"\nnetwork_servise:\n  default_network: app:tor\n')
    r = wippy.run(go, "-v", "run", "go", "nothing")
    assert ".wippy.yaml:2: network_servise: unknown key, ignored" in r.stderr, r


@pytest.mark.parametrize("text, words", [
    ("logger: {}\n", "missing version field"), ('version: "2.0"\n', "unsupported version"), ('version: "1.0"\nlogger: x\n', ".wippy.yaml:2: section 'logger': expected a map"),
    ('version: "1.0"\n  a: [\n', "failed to parse YAML: .wippy.yaml:2"),
    ('version: "1.0"\nshutdown:\n  timeout: 5\n', '.wippy.yaml: line 3: shutdown.timeout: expected a duration string such as "30s", got integer'),
    ('version: "1.0"\nsecurity:\n  strict_mode: "yes"\n', ".wippy.yaml: line 3: security.strict_mode: expected true or false, got string yes"),
    ('version: "1.0"\nlogger:\n  encoding: xml\n', '.wippy.yaml: line 3: logger.encoding: expected "console" or "json", got string xml')])
def test_a_bad_configuration_file(wippy, go, text, words):
    (go / ".wippy.yaml").write_text(text)
    r = wippy.run(go, "run", "go", "nothing")
    assert r.code == 1 and words in r.stderr and r.stderr.count("\n") == 1 and r.stdout == "", r


# -- logs ----------------------------------------------------------------------------------------------------------------------

def test_a_command_is_silent_unless_asked(wippy, go):
    r = wippy.run(go, "run", "go", "log")
    assert (r.stdout, r.stderr) == ("started log\n", "")
    r = wippy.run(go, "-s", "run", "go", "log")
    assert (r.stdout, r.stderr) == ("started log\n", "")


def test_log_formats(wippy, go):
    r = wippy.run(go, "-v", "run", "go", "log")
    line = next(x for x in r.stderr.splitlines() if "from lua" in x)
    date, level, name, message, fields = line.split("\t")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", date) and (level, message) == ("INFO", "from lua") and name
    assert json.loads(fields)["n"] == 1
    r = wippy.run(go, "-c", "run", "go", "log")
    assert r.stderr == "" and re.search(r"(?m)^ *\d+\.\d\ds\s+.*INFO.*from lua.*n=1", re.sub(r"\x1b\[[0-9;]*m", "", r.stdout)), r
    r = wippy.run(go, "-v", "run", "--set", "logger.encoding=json", "go", "log")
    lines = [json.loads(x) for x in r.stdout.splitlines() if x.startswith("{")]
    (ours,) = [x for x in lines if x["msg"] == "from lua"]
    assert (ours["level"], ours["n"], "ts" in ours, "logger" in ours) == ("info", 1, True, True)


def test_console_errors_have_no_prefix(wippy, go):
    r = wippy.run(go, "-c", "run", "nope")
    assert r.code == 1 and "Error: " not in r.stderr and 'command "nope" not found' in r.stderr, r


def test_no_project_at_all(wippy, tmp_path):
    with wippy.start(tmp_path, "run") as run:
        run.wait_for("runtime ready")
        run.signal()
        assert run.wait(10) == 0
    assert "no lock file here" in "".join(run.stderr)
    r = wippy.run(tmp_path, "run", "probe")
    assert r.code == 1 and 'command "probe" not found' in r.stderr and "wippy init" in r.stderr, r


def test_a_terminal_host_that_does_not_start(wippy, project):
    folder = project({"wippy.lock": "directories: {src: ./src}\n", "src/_index.yaml": """version: "1.0"
namespace: app
entries:
  - {name: terminal, kind: terminal.host}
  - {name: go, kind: process.lua, meta: {command: {name: go}}, source: "return function() end"}
"""})
    r = wippy.run(folder, "run", "go")
    assert (r.code, r.stderr) == (1, "Error: host app:terminal is not running: its entry needs lifecycle.auto_start: true\n"), r


def test_options_may_stand_before_the_command(wippy, go):
    r = wippy.run(go, "-s", "--set", "shutdown.timeout=9s", "run", "go", "nothing")
    assert r.code == 0 and r.stderr == "", r
