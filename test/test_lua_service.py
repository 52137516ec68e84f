"""process.service: what is started, restarted, stopped, and what the log says about it."""
import json
import re
import textwrap
import time

import pytest

HOSTS = """
version: "1.0"
namespace: app
entries:
  - {name: processes, kind: process.host, lifecycle: {auto_start: true, stop_timeout: 300ms}}
  - {name: terminal, kind: terminal.host, lifecycle: {auto_start: true}}
"""


def make(project, entries, **programs):
    """entries: YAML of the entries; programs: name=source of process.lua entries."""
    index = HOSTS + textwrap.indent(textwrap.dedent(entries).strip("\n"), "  ") + "\n"
    files = {}
    for name, source in programs.items():
        index += f"  - {{name: {name}, kind: process.lua, source: file://{name}.lua, modules: [time, logger]}}\n"
        files[f"src/{name}.lua"] = textwrap.dedent(source).lstrip("\n")
    return project({"src/_index.yaml": index, **files})


def output(running):
    return "".join(running.stdout) + "".join(running.stderr)


def lines(running, word):
    return [line for line in output(running).splitlines() if word in line]


def fields(line):
    return json.loads(line[line.index("{"):])


def wait_lines(running, word, n, timeout=15):
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if len(found := lines(running, word)) >= n:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{n} of {word!r}: {output(running)}")


def test_input_and_stop(wippy, project):
    folder = make(project, """
        - name: s
          kind: process.service
          process: worker
          host: app:processes
          input: [1, two, {three: [3]}]
          lifecycle: {auto_start: true}
    """, worker="""
        return { main = function(a, b, c)
          print("started", a, b, c.three[1], process.id())
          local e = process.events():receive()
          print("stopping", e.kind, e.reason, e.from)
          return "bye"
        end }
    """)
    with wippy.start(folder, "run") as r:
        r.wait_for("started")
        r.signal()
        assert r.wait() == 0
        out = output(r)
        assert "started 1 two 3 app:worker\t" in out and "stopping pid.cancel service stopping {|}\t" in out, out
        assert "process failed" not in out


def test_crash_is_explained_once_and_restarted(wippy, project):
    folder = make(project, """
        - name: s
          kind: process.service
          process: crasher
          host: app:processes
          lifecycle:
            auto_start: true
            restart: {initial_delay: 30ms, backoff_factor: 2, jitter: 0.01, max_attempts: 4}
    """, crasher="""
        local function deep(x)
          error("broke at " .. x)
        end
        return { main = function()
          deep("home")
        end }
    """)
    with wippy.start(folder, "run") as r:
        r.wait_for("failed too often")
        time.sleep(0.3)
        crashes = [fields(line) for line in lines(r, "process failed")]
        assert len(crashes) == 4, output(r)
        c = crashes[0]
        assert c["entry"] == "app:crasher" and c["started_by"] == "app:s" and c["actor"] == "" and re.match(r"\{app:processes\|0x[0-9a-f]+\}", c["pid"])
        assert c["error"] == "app:crasher:2: broke at home"
        assert "app:crasher:2 (deep)" in c["stack"] and any("app:crasher:5" in f for f in c["stack"]), c
        restarts = [fields(line) for line in lines(r, "service failed, restarting")]
        assert [x["attempt"] for x in restarts] == [1, 2, 3]
        for x, want in zip(restarts, [30, 60, 120]):
            assert want * 0.95 <= x["delay_ms"] <= want * 1.05 + 1, restarts
        r.signal()
        assert r.wait() == 0


def test_ends_that_are_not_restarted(wippy, project):
    service = "- {{name: {0}, kind: process.service, process: {1}, host: '{2}', lifecycle: {{auto_start: true, restart: {{initial_delay: 1ms}}}}}}\n"
    names = [("done", "done", "app:processes"), ("said", "said", "app:processes"), ("noent", "none", "app:processes"),
             ("nohost", "done", "app:none"), ("chunk", "chunk", "app:processes"), ("method", "method", "app:processes"),
             ("refused", "refused", "app:processes")]
    folder = make(project, "".join(service.format("s_" + a, b, c) for a, b, c in names),
                  done="return { main = function() print('run done') end }",
                  said="return { main = function() print('run said') return nil, 'no use' end }",
                  refused="return { main = function() print('run refused') error(errors.new{message='no', retryable=false}) end }",
                  chunk="print('run chunk') error('bad chunk')",
                  method="print('run method') return {}")
    with wippy.start(folder, "run") as r:
        wait_lines(r, "is not restarted", 6)
        r.wait_for("service exited")
        time.sleep(0.2)
        out = output(r)
        for name, n in [("run done", 1), ("run said", 1), ("run refused", 1), ("run chunk", 1), ("run method", 1)]:
            assert out.count(name) == n, out
        gave_up = {f["service"]: f["error"] for f in map(fields, lines(r, "is not restarted"))}
        assert gave_up["app:s_said"] == "no use" and gave_up["app:s_refused"] == "no"
        assert gave_up["app:s_noent"].startswith("start process: factory not found")
        assert gave_up["app:s_nohost"].startswith("start process: host not found")
        assert gave_up["app:s_chunk"].startswith("start process: failed to execute script")
        assert gave_up["app:s_method"].startswith('start process: method "main" not found')
        assert "restarting" not in out
        r.signal()
        assert r.wait() == 0


def test_terminated_and_linked_are_restarted(wippy, project):
    folder = make(project, """
        - {name: s, kind: process.service, process: victim, host: app:processes, lifecycle: {auto_start: true, restart: {initial_delay: 5ms}}}
        - {name: k, kind: process.service, process: killer, host: app:processes, lifecycle: {auto_start: true, requires: [s]}}
    """, victim="""
        return { main = function()
          process.registry.register("victim")
          print("victim up")
          process.events():receive()
        end }
    """, killer="""
        local function find()
          for i = 1, 500 do
            local pid = process.registry.lookup("victim")
            if pid then return pid end
            time.sleep("5ms")
          end
          error("no victim")
        end
        return { main = function()
          process.set_options({trap_links = true})
          local events = process.events()
          local pid = find()
          assert(process.monitor(pid))
          process.terminate(pid)
          assert(events:receive().kind == process.event.EXIT)
          local again = find()
          assert(again ~= pid)
          assert(process.link(again))
          process.spawn_linked("app:fails", "app:processes")
          assert(events:receive().kind == process.event.LINK_DOWN)
          process.events():receive()
        end }
    """, fails="return { main = function() error('for the link') end }")
    with wippy.start(folder, "run") as r:
        wait_lines(r, "victim up", 2)
        r.wait_for("for the link")
        restarts = [fields(line) for line in lines(r, "service failed, restarting")]
        assert [(x["service"], x["error"]) for x in restarts] == [("app:s", "process terminated")]
        r.signal()
        assert r.wait() == 0


def test_a_service_that_does_not_stop(wippy, project):
    folder = make(project, """
        - {name: s, kind: process.service, process: deaf, host: app:processes, lifecycle: {auto_start: true, stop_timeout: 100ms}}
    """, deaf="return { main = function() print('deaf') while true do time.sleep('1h') end end }")
    with wippy.start(folder, "run") as r:
        r.wait_for("deaf")
        started = time.monotonic()
        r.signal()
        assert r.wait() == 0
        assert 0.3 < time.monotonic() - started < 5  # 100 ms for the service, then the host's 300 ms
        assert "stop timeout after 100 ms" in output(r)


def test_requires_and_refused_entries(wippy, project):
    folder = make(project, """
        - {name: s, kind: process.service, process: ok, host: app:processes, lifecycle: {auto_start: true, requires: [gone]}}
        - {name: t, kind: process.service, process: ok, host: app:processes, lifecycle: {auto_start: true}}
    """, ok="return { main = function() print('is here') process.events():receive() end }")
    with wippy.start(folder, "run") as r:
        r.wait_for("is here")
        blocked = fields(wait_lines(r, "service startup blocked by missing dependencies", 1)[0])
        assert (blocked["service"], blocked["requires"]) == ("app:s", "app:gone")
        time.sleep(0.1)
        assert len(lines(r, "is here")) == 1
        r.signal()
        assert r.wait() == 0


def test_refused_entries(wippy, project):
    for fields_text, words in [("host: 'app:processes'", "process is required"), ("process: ok", "host is required"),
                               ("process: ok, host: node:control", "invalid host: node:control"),
                               ("process: ok, host: processes", "invalid host: processes"),
                               ("process: ok, host: 'app:processes', input: 3", "field 'input': expected list"),
                               ("process: ok, host: 'app:processes', lifecycle: {startup: x}", "must be required or optional")]:
        folder = make(project, "- {name: s, kind: process.service, %s}" % fields_text, ok="return { main = function() end }")
        r = wippy.run(folder, "run")
        assert r.code == 1 and words in r.stderr and "app:s" in r.stderr, (fields_text, r)


@pytest.mark.parametrize("strict, outcome", [(False, "spawned {app:processes|"), (True, "spawned nil PermissionDenied")])
def test_security_whose_policies_do_not_exist(wippy, project, strict, outcome):
    """It gives no scope, loudly: then everything is allowed, or in strict mode nothing."""
    folder = make(project, """
        - name: s
          kind: process.service
          process: tries
          host: app:processes
          lifecycle: {auto_start: true, security: {actor: {id: svc}, policies: ["app:none"], groups: ["app:nobody"]}}
    """, tries="""
        return { main = function()
          local pid, err = process.spawn("app:child", "app:processes")
          print("spawned " .. tostring(pid) .. " " .. tostring(err and err:kind()))
          process.events():receive()
        end }
    """, child="return { main = function() end }")
    if strict:
        (folder / ".wippy.yaml").write_text('version: "1.0"\nsecurity:\n  strict_mode: true\n')
    with wippy.start(folder, "run") as r:
        r.wait_for("spawned")
        assert outcome in output(r), output(r)
        missing = [fields(line) for line in lines(r, "lifecycle.security names what does not exist")]
        assert sorted((m["service"], m["id"]) for m in missing) == [("app:s", "app:nobody"), ("app:s", "app:none")], output(r)
        assert len(lines(r, "nothing that lifecycle.security names exists")) == 1, output(r)
        r.signal()
        assert r.wait() == 0


def test_started_again_while_the_old_process_lingers(wippy, project):
    """A process that outlives its stop_timeout is left alone; when it ends at last, that is not the end of the run that came after it."""
    folder = make(project, """
        - {name: s, kind: process.service, process: lingers, host: app:processes, lifecycle: {auto_start: true, stop_timeout: 100ms}}
        - {name: c, kind: process.service, process: control, host: app:processes, lifecycle: {auto_start: true}}
        - {name: control, kind: process.lua, source: file://control.lua, modules: [time, events]}
    """, lingers="""
        return { main = function()
          local who = process.registry.lookup("first") and "second" or "first"
          process.registry.register(who)
          print(who .. " runs")
          process.events():receive()
          print(who .. " is told")
          if who == "first" then process.inbox():receive() end
          print(who .. " ends")
        end }
    """)
    project({"src/control.lua": textwrap.dedent("""
        local time, events = require("time"), require("events")
        local function await(name)
          while not process.registry.lookup(name) do time.sleep("5ms") end
        end
        local function ask(kind) events.send("supervisor", "service." .. kind, "app:s") end
        return { main = function()
          await("first")
          time.sleep("50ms")
          ask("stop")
          time.sleep("300ms")
          ask("start")
          await("second")
          time.sleep("50ms")
          process.send("first", "go")
          time.sleep("100ms")
          print("asks again")
          ask("stop")
          process.events():receive()
        end }
    """)})
    with wippy.start(folder, "run") as r:
        r.wait_for("second ends")
        assert output(r).index("first ends") < output(r).index("asks again") < output(r).index("second is told"), output(r)
        assert len(lines(r, "second runs")) == 1 and not lines(r, "service exited"), output(r)
        r.signal()
        assert r.wait() == 0


def test_unobserved_crash_is_logged_observed_is_not(wippy, project):
    folder = make(project, """
        - {name: s, kind: process.service, process: parent, host: app:processes, lifecycle: {auto_start: true, security: {actor: {id: svc}}}}
    """, parent="""
        return { main = function()
          process.spawn("app:child", "app:processes", "alone")
          process.spawn_monitored("app:child", "app:processes", "watched")
          local pid = process.spawn("app:child", "app:processes")
          process.terminate(pid)
          process.events():receive()
          print("parent", process.pid())
          process.events():receive()
        end }
    """, child="return { main = function(w) if w then error(w) end process.inbox():receive() end }")
    with wippy.start(folder, "run") as r:
        r.wait_for("parent")
        crash = fields(wait_lines(r, "process failed", 1)[0])
        assert crash["error"] == "app:child:1: alone" and crash["entry"] == "app:child"
        assert crash["started_by"] in output(r) and crash["started_by"].startswith("{app:processes|")
        assert crash["started_by_entry"] == "app:parent" and crash["actor"] == "svc", crash
        time.sleep(0.1)
        assert len(lines(r, "process failed")) == 1
        r.signal()
        assert r.wait() == 0


def test_command_prints_its_stack(wippy, project):
    files = make(project, """
        - {name: c, kind: process.lua, meta: {command: {name: c}}, source: file://c.lua}
        - {name: d, kind: process.lua, meta: {command: {name: d}}, source: file://d.lua}
    """)
    (files / "src/c.lua").write_text("local function deep()\n  error('broke')\nend\nreturn { main = function()\n  deep()\n  return 1\nend }\n")
    (files / "src/d.lua").write_text("return { main = function()\n  return nil, errors.new('said')\nend }\n")
    r = wippy.run(files, "run", "c")
    assert r.code == 1 and r.stderr.splitlines() == ["app:c:2: broke", "  at app:c:2 (deep)", "  at app:c:5 (function)"], r
    r = wippy.run(files, "run", "d")
    assert r.code == 1 and r.stderr == "said\n", r
