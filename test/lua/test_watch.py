"""`wippy run --watch`: edits of a project's files while it runs."""
import os
import re
import shutil
import signal
import time

import pytest

INDEX = """\
version: "1.0"
namespace: app
entries:
  - {name: terminal, kind: terminal.host, lifecycle: {auto_start: true}}
  - {name: words, kind: library.lua, source: file://words.lua}
  - name: greet
    kind: function.lua
    source: file://greet.lua
    method: call
    imports: {words: "app:words"}
  - {name: slow, kind: function.lua, source: file://slow.lua, method: call, modules: [time]}
  - name: secured
    kind: function.lua
    source: file://secured.lua
    method: call
    modules: [security]
  - name: loop
    kind: process.lua
    meta: {command: {name: loop, short: Calls the functions again and again}}
    source: file://loop.lua
    method: main
    modules: [io, time, funcs, security]
"""
POLICIES = """\
version: "1.0"
namespace: policies
entries:
  - name: reading
    kind: security.policy
    policy: {actions: "read", resources: "*", effect: allow}
    groups: [readers]
"""
WORDS = 'return { word = function() return "hello" end }\n'
GREET = 'local words = require("words")\nreturn { call = function() return words.word() .. " one" end }\n'
SLOW = 'local time = require("time")\nreturn { call = function() time.sleep("2s") return "slow one" end }\n'
SECURED = 'local security = require("security")\nreturn { call = function() return tostring(security.can("read", "doc")) end }\n'
# A line whenever an answer differs from the one before, and for each thousandth of a minute that it runs.
LOOP = """\
local io = require("io")
local time = require("time")
local funcs = require("funcs")
local security = require("security")
local tag = "loop one"
local last = {}
local function say(what, text)
  if last[what] ~= text then io.print(what .. ": " .. text) end
  last[what] = text
end
local function answer(id, caller)
  local text, err = (caller or funcs.new()):call(id)
  return err and "error " .. tostring(err) or tostring(text)
end
local function main()
  local stop = process.events()
  coroutine.spawn(function() while true do io.print("slow call: " .. answer("app:slow")) end end)
  while true do
    say("greet", answer("app:greet"))
    say("extra", answer("extra:extra"))
    local scope = security.named_scope("policies:readers")
    if scope then
      local caller = funcs.new():with_actor(security.new_actor("someone", {})):with_scope(scope)
      say("can read", answer("app:secured", caller))
    end
    say("code", tag)
    local picked = channel.select({ stop:case_receive(), time.after("30ms"):case_receive() })
    if picked.channel == stop then return 3 end
  end
end
return { main = main }
"""
FILES = {"src/_index.yaml": INDEX, "src/policies/_index.yaml": POLICIES, "src/words.lua": WORDS, "src/greet.lua": GREET,
         "src/slow.lua": SLOW, "src/secured.lua": SECURED, "src/loop.lua": LOOP}
EXTRA = """\
version: "1.0"
namespace: extra
entries:
  - {name: extra, kind: function.lua, source: file://extra.lua, method: call}
"""


class Watched:
    """A running program and its project's folder."""

    def __init__(self, running, folder):
        self.running = running
        self.folder = folder

    def lines(self):
        return [line.rstrip("\n") for line in self.running.stdout]

    def said(self):
        return [line.rstrip("\n") for line in self.running.stderr if line.startswith("watch: ")]

    def wait_for(self, text, timeout=15):
        self.running.wait_for(text, timeout)

    def wait_again(self, text, before, timeout=15):
        """Until `text` was said once more than `before` times."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if "".join(self.running.stderr).count(text) > before:
                return
            time.sleep(0.02)
        raise AssertionError(f"{text!r} was not said again: {self.running.stderr}")

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def edit(self, name, old, new):
        text = (self.folder / name).read_text(encoding="utf-8")
        assert old in text
        self.write(name, text.replace(old, new))


@pytest.fixture
def watched(wippy, project):
    folder = project(FILES)
    with wippy.start(folder, "run", "--watch", "loop") as running:
        w = Watched(running, folder)
        w.wait_for("greet: hello one")
        w.wait_for("watch: watching ")
        yield w
        running.signal(signal.SIGTERM)
        assert running.wait() == 3, running.stderr


def test_a_function_is_new_for_the_next_call(watched):
    watched.wait_for("code: loop one")
    watched.edit("src/greet.lua", "one", "two")
    watched.wait_for("greet: hello two")
    watched.wait_for("watch: updated app:greet (src/greet.lua)\nwatch: 1 updated (v0)\n")


def test_what_runs_keeps_its_code(watched):
    watched.edit("src/slow.lua", "slow one", "slow two")
    watched.edit("src/loop.lua", "loop one", "loop two")
    watched.wait_for("watch: 2 updated (v0)")
    assert not any(line.startswith("slow call") for line in watched.lines()), "the test is too slow to tell"
    watched.wait_for("slow call: slow two")
    calls = [line for line in watched.lines() if line.startswith("slow call")]
    assert calls[0] == "slow call: slow one", calls
    assert [line for line in watched.lines() if line.startswith("code")] == ["code: loop one"]


def test_a_library_reaches_who_imports_it(watched):
    watched.edit("src/words.lua", "hello", "good day")
    watched.wait_for("greet: good day one")
    watched.wait_for("watch: updated app:words (src/words.lua)")


def test_entries_come_and_go(watched):
    watched.wait_for("extra: error ")
    watched.write("src/extra/extra.lua", 'return { call = function() return "here" end }\n')
    watched.write("src/extra/_index.yaml", EXTRA)
    watched.wait_for("extra: here")
    watched.wait_for("watch: created extra:extra (src/extra/_index.yaml)\nwatch: 1 created (v0)\n")
    gone = len(watched.lines())
    (watched.folder / "src/extra/_index.yaml").unlink()
    watched.wait_for("watch: removed extra:extra")
    watched.wait_for("watch: 1 removed (v0)")
    time.sleep(0.3)
    assert any(line.startswith("extra: error ") for line in watched.lines()[gone:])


def test_a_directory_goes_and_comes_back(watched):
    watched.write("src/extra/deep/extra.lua", 'return { call = function() return "here" end }\n')
    watched.write("src/extra/deep/_index.yaml", EXTRA)
    watched.wait_for("extra: here")
    shutil.rmtree(watched.folder / "src/extra")
    watched.wait_for("watch: 1 removed (v0)")
    watched.write("src/other/deep/extra.lua", 'return { call = function() return "there" end }\n')
    watched.write("src/other/deep/_index.yaml", EXTRA)
    watched.wait_for("extra: there")
    # Moved as a whole it gives the same entries.
    os.rename(watched.folder / "src/other", watched.folder / "src/moved")
    watched.edit("src/moved/deep/extra.lua", "there", "moved")
    watched.wait_for("extra: moved")
    assert sum(line == "watch: 1 removed (v0)" for line in watched.said()) == 1, watched.said()


@pytest.mark.parametrize("name, text, where", [
    ("src/_index.yaml", INDEX + "  - {name: x, kind: [\n", r"src/_index\.yaml:\d+"),
    ("src/_index.yaml", INDEX + "  - {name: x, kind: no.such}\n", r"src/_index\.yaml:\d+: entry app:x: "),
    ("src/_index.yaml", INDEX + "  - {name: x, kind: function.lua, source: file://no.lua}\n", r"src/_index\.yaml: .*no\.lua"),
    ("src/greet.lua", "return function( return 1 end\n", r"src/_index\.yaml:\d+: entry app:greet: .*:1"),
])
def test_what_cannot_run_is_refused(watched, name, text, where):
    good = (watched.folder / name).read_text()
    watched.edit("src/words.lua", "hello", "good day")
    watched.write(name, text)
    watched.wait_for("still running the previous state")
    (refusal,) = [line for line in watched.said() if line.endswith("; still running the previous state")]
    assert re.search(where, refusal), refusal
    # All or nothing: the good edit of the same moment waits for the bad one.
    assert "greet: good day one" not in watched.lines()
    assert watched.said()[-1] == refusal, watched.said()
    watched.write(name, good)
    watched.wait_for("greet: good day one")
    watched.wait_for("watch: 1 updated (v0)")


def test_a_source_that_was_missing(watched):
    watched.write("src/extra/_index.yaml", EXTRA)
    watched.wait_for("still running the previous state")
    watched.write("src/extra/extra.lua", 'return { call = function() return "at last" end }\n')
    watched.wait_for("extra: at last")


def test_putting_things_right_by_taking_the_edit_back(watched):
    watched.write("src/greet.lua", "return function(\n")
    watched.wait_for("still running the previous state")
    watched.write("src/greet.lua", GREET)
    watched.wait_for("watch: the files are as what runs again (v0)")


@pytest.mark.parametrize("how", ["rename over", "move away and write", "remove and write", "in place, slowly"])
def test_ways_to_save(watched, how):
    for name, text, proof in [("src/greet.lua", GREET.replace("one", "two"), "greet: hello two"),
                              ("src/_index.yaml", INDEX + "  - {name: x, kind: registry.entry}\n", "watch: created app:x")]:
        path = watched.folder / name
        if how == "rename over":
            (path.parent / ".new~").write_text(text)
            os.rename(path.parent / ".new~", path)
        elif how == "move away and write":
            os.rename(path, str(path) + "~")
            path.write_text(text)
            os.unlink(str(path) + "~")
        elif how == "remove and write":
            path.unlink()
            time.sleep(0.25)
            path.write_text(text)
        else:
            with open(path, "w", encoding="utf-8") as f:
                for at in range(0, len(text), len(text) // 4):
                    f.write(text[at:at + len(text) // 4])
                    f.flush()
                    time.sleep(0.15)
        watched.wait_for(proof)
    assert not any("removed" in line for line in watched.said()), watched.said()


def test_editors_leave_things_behind(watched):
    for name in ("4913", ".greet.lua.swp", "greet.lua~", "#_index.yaml#", "_index.yaml.tmp"):
        watched.write(f"src/{name}", "{nonsense: [")
    os.symlink("someone@somewhere.1234", watched.folder / "src/.#_index.yaml")
    watched.edit("src/greet.lua", "one", "two")
    watched.wait_for("greet: hello two")
    assert [line for line in watched.said() if "watching" not in line] == [
        "watch: updated app:greet (src/greet.lua)", "watch: 1 updated (v0)"]


@pytest.mark.parametrize("content", ["", "\n\n", 'version: "1.0"\n'])
def test_an_emptied_file_removes_nothing(watched, content):
    watched.write("src/policies/_index.yaml", content)
    watched.wait_for("still running the previous state")
    (refusal,) = [line for line in watched.said() if line.endswith("; still running the previous state")]
    assert "src/policies/_index.yaml is empty" in refusal
    watched.write("src/policies/_index.yaml", POLICIES.replace("allow", "deny"))
    watched.wait_for("watch: 1 updated (v0)")


def test_no_entries_left_in_a_file(watched):
    watched.write("src/policies/_index.yaml", 'version: "1.0"\nnamespace: policies\nentries: []\n')
    watched.wait_for("watch: removed policies:reading (src/policies/_index.yaml)")


def test_a_storm(watched):
    for i in range(200):
        watched.write("src/greet.lua", GREET.replace("one", f"edit {i}"))
        if i % 20 == 0:
            time.sleep(0.05)
    watched.wait_for("greet: hello edit 199")
    time.sleep(0.5)
    greets = [line for line in watched.lines() if line.startswith("greet: ")]
    assert greets[-1] == "greet: hello edit 199"
    # Together, not one by one.
    assert len([line for line in watched.said() if "1 updated" in line]) < 20, watched.said()
    assert not any("still running" in line for line in watched.said())


def test_many_entries_in_one_change(watched):
    entries = "".join(f"  - {{name: e{i}, kind: registry.entry}}\n" for i in range(200))
    watched.write("src/many/_index.yaml", f'version: "1.0"\nnamespace: many\nentries:\n{entries}')
    watched.wait_for("watch: 200 created (v0)")
    assert "watch: ... and 150 more" in watched.said()
    assert sum(line.startswith("watch: created many:e") for line in watched.said()) == 50


def test_a_policy(watched):
    watched.wait_for("can read: true")
    watched.edit("src/policies/_index.yaml", "effect: allow", "effect: deny")
    watched.wait_for("can read: false")
    watched.wait_for("watch: updated policies:reading (src/policies/_index.yaml)")


# -- configuration ----------------------------------------------------------------------------------------------------------

def test_overrides_apply(watched):
    watched.write(".wippy.yaml", 'version: "1.0"\noverride:\n  "app:secured:meta.note": "x"\n')
    watched.wait_for("watch: updated app:secured")
    assert not any("restart" in line for line in watched.said()[1:] if "version" not in line), watched.said()
    watched.write(".wippy.yaml", 'version: "1.0"\ndisable:\n  namespaces: [policies]\n')
    watched.wait_for("watch: removed policies:reading")


def test_other_configuration_needs_a_restart(watched):
    watched.write(".wippy.yaml", 'version: "1.0"\nshutdown: {timeout: 5s}\n')
    watched.wait_for("watch: the configuration changed (version, shutdown): restart to apply that")
    before = len(watched.said())
    watched.edit("src/greet.lua", "one", "two")
    watched.wait_for("greet: hello two")
    assert not any("restart" in line for line in watched.said()[before:])
    watched.write(".wippy.yaml", "shutdown: [\n")
    watched.wait_for("still running the previous state")
    assert ".wippy.yaml" in watched.said()[-1]


def test_another_source_root(watched):
    shutil.copytree(watched.folder / "src", watched.folder / "lua")
    (watched.folder / "lua/greet.lua").write_text(GREET.replace("one", "from elsewhere"))
    watched.write("wippy.lock", "directories:\n    modules: .wippy\n    src: ./lua\n")
    watched.wait_for("greet: hello from elsewhere")
    watched.edit("lua/greet.lua", "elsewhere", "there")
    watched.wait_for("greet: hello from there")


# -- other programs ---------------------------------------------------------------------------------------------------------

NETWORK = """\
version: "1.0"
namespace: app
entries:
  - {name: terminal, kind: terminal.host, lifecycle: {auto_start: true}}
  - {name: proxy, kind: network.socks5, host: 127.0.0.1, port: %d}
  - name: loop
    kind: process.lua
    meta: {command: {name: loop, short: Asks through the proxy again and again}}
    source: file://loop.lua
    method: main
    modules: [io, time, http_client]
"""
ASK = """\
local io = require("io")
local time = require("time")
local http = require("http_client")
local function main(url)
  for i = 1, 2000 do
    local r, err = http.get(url, { overlay_network = "app:proxy", timeout = "5s" })
    io.print(r and "answer " .. r.body or "failed " .. tostring(err))
    time.sleep("50ms")
  end
end
return { main = main }
"""


def test_an_overlay(wippy, project, counting_proxy, address_server, start_rig):
    other = start_rig("socks_count.py", "--source", "127.0.0.3")
    folder = project({"src/_index.yaml": NETWORK % counting_proxy.port, "src/loop.lua": ASK})
    with wippy.start(folder, "run", "-w", "loop", f"http://127.0.0.1:{address_server.port}/") as running:
        w = Watched(running, folder)
        w.wait_for('"127.0.0.2"')
        w.wait_for("watch: watching ")
        w.edit("src/_index.yaml", f"port: {counting_proxy.port}", "port: 70000")
        w.wait_for("still running the previous state")
        assert re.search(r"src/_index\.yaml:\d+: entry app:proxy: .*invalid port", w.said()[-1]), w.said()
        asked = len(w.lines())
        time.sleep(0.5)
        answers = w.lines()[asked:]
        assert answers and all('"127.0.0.2"' in line for line in answers), answers
        w.edit("src/_index.yaml", "port: 70000", f"port: {other.port}")
        w.wait_for('"127.0.0.3"')
        w.wait_for("watch: updated app:proxy (src/_index.yaml)")
        assert not any(line.startswith("failed") for line in w.lines()), w.lines()


OWN = """\
local io = require("io")
local time = require("time")
local registry = require("registry")
local function main()
  local changes = registry.snapshot():changes()
  changes:create({ id = "made:here", kind = "registry.entry", meta = {}, data = { v = 1 } })
  changes:update({ id = "app:plain", kind = "registry.entry", meta = {}, data = { v = "program's" } })
  local version, err = changes:apply()
  io.print(version and "applied" or tostring(err))
  local io_back = false
  while true do
    if not io_back and registry.get("app:back") then
      io_back = true
      local ok, why = registry.apply_version(registry.history():get_version(0))
      io.print("back " .. tostring(why))
    end
    local e = registry.get("made:here")
    local p = registry.get("app:plain")
    io.print((e and "there" or "gone") .. " " .. tostring(p and p.data.v))
    time.sleep("50ms")
  end
end
return { main = main }
"""
OWN_INDEX = """\
version: "1.0"
namespace: app
entries:
  - {name: terminal, kind: terminal.host, lifecycle: {auto_start: true}}
  - {name: plain, kind: registry.entry, v: first}
  - {name: other, kind: registry.entry, v: first}
  - name: own
    kind: process.lua
    meta: {command: {name: own, short: Makes an entry}}
    source: file://own.lua
    method: main
    modules: [io, time, registry]
"""


@pytest.mark.parametrize("history", ["memory", "nil"])
def test_what_programs_made_stays(wippy, project, history):
    folder = project({"src/_index.yaml": OWN_INDEX, "src/own.lua": OWN})
    with wippy.start(folder, "run", "--watch", "own", "--set", f"registry.history_type={history}") as running:
        w = Watched(running, folder)
        w.wait_for("there program's")
        w.wait_for("watch: watching ")
        w.edit("src/_index.yaml", "name: other, kind: registry.entry, v: first", "name: other, kind: registry.entry, v: second")
        w.wait_for("watch: updated app:other (src/_index.yaml)")
        seen = len(w.lines())
        time.sleep(0.3)
        assert set(w.lines()[seen:]) == {"there program's"}
        w.edit("src/_index.yaml", "name: plain, kind: registry.entry, v: first", "name: plain, kind: registry.entry, v: third")
        if history == "memory":
            w.wait_for("watch: app:plain was changed by a program meanwhile and stays so")
            # Back to what the files say means what they say now.
            w.write("src/_index.yaml", (folder / "src/_index.yaml").read_text() + "  - {name: back, kind: registry.entry}\n")
            w.wait_for("back nil")
            w.wait_for("gone third")
        else:
            # Without a history nobody knows that it was a program: the file counts.
            w.wait_for("there third")


def test_exit_codes(wippy, project):
    folder = project({**FILES, "src/loop.lua": "return { main = function() return 9 end }\n"})
    assert wippy.run(folder, "run", "--watch", "loop").code == 9
    r = wippy.run(folder, "run", "--watch", "nothing")
    assert (r.code, "not found" in r.stderr) == (1, True), r
    (folder / "wippy.lock").unlink()
    assert wippy.run(folder, "run", "--watch").code == 1
    assert "apply edits of the project's files while it runs" in wippy.run(folder, "run", "--help").stdout


def test_without_a_command(wippy, project):
    folder = project(FILES)
    with wippy.start(folder, "run", "--watch") as running:
        w = Watched(running, folder)
        w.wait_for("watch: watching ")
        w.edit("src/greet.lua", "one", "two")
        w.wait_for("watch: updated app:greet (src/greet.lua)")
        running.signal(signal.SIGINT)
        assert running.wait() == 0
