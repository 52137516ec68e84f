"""`${env:NAME}` in the data of entries of every kind: the kind sees the value, the registry shows what is written."""
import json

import pytest

NOBODY = "${env:NOBODY}"

# What each kind needs to be accepted by itself; one field of it is then a placeholder that nothing stands for.
FIELDS = {
    "contract.binding": ({"contracts": [{"contract": NOBODY}]}),
    "contract.definition": ({"methods": [{"name": NOBODY}]}),
    "db.sql.sqlite": ({"file": NOBODY}),
    "env.storage.file": ({"path": NOBODY}),
    "env.storage.memory": ({"note": NOBODY}),
    "env.storage.os": ({"note": NOBODY}),
    "env.storage.router": ({"storages": ["app:fixed"], "note": NOBODY}),
    "env.storage.static": ({"values": {"A": NOBODY}}),
    "env.variable": ({"variable": "OTHER", "storage": "app:fixed", "default": NOBODY}),
    "exec.native": ({"default_work_dir": NOBODY}),
    "fs.directory": ({"directory": NOBODY}),
    "function.lua": ({"source": "return {main = function() end}", "method": NOBODY}),
    "http.endpoint": ({"method": "GET", "path": NOBODY, "func": "app:f"}),
    "http.router": ({"prefix": NOBODY}),
    "http.service": ({"addr": NOBODY}),
    "http.static": ({"path": NOBODY, "fs": "app:files"}),
    "library.lua": ({"source": "return {}", "note": NOBODY}),
    "network.i2p": ({"host": NOBODY}),
    "network.socks5": ({"host": NOBODY, "port": 1}),
    "network.tailscale": ({"hostname": NOBODY}),
    "network.tor": ({"control_addr": NOBODY}),
    "pg.scope": ({"max_groups": NOBODY}),
    "process.host": ({"host": {"workers": NOBODY}}),
    "process.lua": ({"source": "return {main = function() end}", "method": NOBODY}),
    "process.service": ({"process": NOBODY, "host": "app:processes"}),
    "security.policy": ({"policy": {"actions": NOBODY, "resources": "*", "effect": "allow"}}),
    "security.policy.expr": ({"policy": {"actions": "*", "resources": "*", "effect": "allow", "expression": NOBODY}}),
    "security.token_store": ({"store": NOBODY}),
    "store.memory": ({"max_size": NOBODY}),
    "store.sql": ({"database": NOBODY, "table_name": "t"}),
    "template.jet": ({"set": NOBODY, "source": "x"}),
    "template.set": ({"engine": NOBODY}),
    "terminal.host": ({"hide_logs": NOBODY}),
}
# They live in the registry only, or nowhere (`network`): data that nobody reads at start.
UNREAD = {"network", "ns.definition", "ns.dependency", "ns.requirement", "registry.entry"}

BASE = [
    {"name": "terminal", "kind": "terminal.host", "lifecycle": {"auto_start": True}},
    {"name": "fixed", "kind": "env.storage.static",
     "values": {"SET": "pages", "GROUPS": "1", "LIMIT": "2", "PROCESS": "app:worker", "METHOD": "begin", "CONTRACT": "app:greeter",
                "FUNCTION": "app:greet", "SECRET": "shown-nowhere"}},
    *[{"name": n.lower() + "_variable", "kind": "env.variable", "variable": n, "storage": "app:fixed"}
      for n in ("SET", "GROUPS", "LIMIT", "PROCESS", "METHOD", "CONTRACT", "FUNCTION", "SECRET")],
]

USES = [
    {"name": "processes", "kind": "process.host", "host": {"max_processes": "${env:LIMIT|1}"}, "lifecycle": {"auto_start": True}},
    {"name": "worker", "kind": "process.lua", "source": "file://worker.lua", "method": "${env:METHOD}", "modules": ["time"]},
    {"name": "kept", "kind": "process.service", "process": "${env:PROCESS}", "host": "app:processes",
     "input": ["${env:SECRET}"], "lifecycle": {"auto_start": True}},
    {"name": "groups", "kind": "pg.scope", "max_groups": "${env:GROUPS|5}", "lifecycle": {"auto_start": True}},
    {"name": "pages", "kind": "template.set"},
    {"name": "page", "kind": "template.jet", "set": "${env:SET}", "source": "<p>${env:SECRET}</p>"},
    {"name": "greeter", "kind": "contract.definition", "methods": [{"name": "greet"}]},
    {"name": "polite", "kind": "contract.binding",
     "contracts": [{"contract": "${env:CONTRACT}", "methods": {"greet": "${env:FUNCTION}"}, "default": True}]},
    {"name": "greet", "kind": "function.lua", "source": "return { hello = function(n) return 'hello ' .. n end }", "method": "${NAME|hello}"},
    {"name": "main", "kind": "process.lua", "meta": {"command": {"name": "main"}}, "source": "file://main.lua", "method": "main",
     "modules": ["io", "templates", "contract", "pg", "registry", "time", "json"]},
]

WORKER = """
return { begin = function(secret)
  process.registry.register("kept " .. #secret)
  process.events():receive()
end }
"""

MAIN = """
local io, templates, contract, registry = require("io"), require("templates"), require("contract"), require("registry")
local time, json = require("time"), require("json")
local function main()
  local set = assert(templates.get("app:pages"))
  io.print(assert(set:render("page", {})))
  local greeter = assert(contract.get("app:greeter"))
  io.print(json.encode(greeter:implementations()))
  io.print(assert(assert(greeter:open()):greet("you")))
  local found
  for _ = 1, 200 do
    found = process.registry.lookup("kept 13")
    if found then break end
    time.sleep("20ms")
  end
  io.print("service " .. tostring(found ~= nil))
  for _, name in ipairs({ "kept", "page", "polite", "groups", "worker" }) do
    io.print(json.encode(assert(registry.get("app:" .. name)).data))
  end
  -- What is added was added to the set it says, and leaves that one.
  local v = assert(registry.snapshot()):changes()
  v:delete("app:page")
  assert(v:apply())
  io.print("page " .. tostring(set:render("page", {})))
  return 0
end
return { main = main }
"""


def write(folder, entries):
    (folder / "src").mkdir()
    (folder / "wippy.lock").write_text("directories: {modules: .wippy, src: ./src}\n")
    (folder / "src" / "_index.yaml").write_text(json.dumps({"version": "1.0", "namespace": "app", "entries": entries}))
    return folder


def test_the_table_has_every_kind(wippy, tmp_path):
    r = wippy.run(tmp_path, "help", "kinds")
    listed = {line.split()[0] for line in r.stdout.splitlines() if line.startswith("  ")}
    assert listed == set(FIELDS) | UNREAD, listed ^ (set(FIELDS) | UNREAD)


@pytest.mark.parametrize("kind", sorted(FIELDS))
def test_every_kind_has_its_placeholders_replaced(wippy, tmp_path, kind):
    """Nothing has that name, so the entry is refused with those words and no others."""
    write(tmp_path, [*BASE, {"name": "probe", "kind": kind, **FIELDS[kind]}])
    r = wippy.run(tmp_path, "run", timeout=30)
    assert r.code != 0 and "app:probe" in r.stderr and "placeholder ${env:NOBODY}: environment variable not found" in r.stderr, r


@pytest.mark.parametrize("kind", sorted(UNREAD - {"ns.dependency", "ns.requirement"}))
def test_what_nobody_handles_is_left_alone(wippy, tmp_path, kind):
    write(tmp_path, [*BASE, {"name": "probe", "kind": kind, "note": NOBODY}])
    r = wippy.run(tmp_path, "registry", "list")
    assert r.code == 0 and "app:probe" in r.stdout, r


def test_values_count_and_are_shown_nowhere(wippy, tmp_path):
    write(tmp_path, [*BASE, *USES])
    (tmp_path / "src" / "main.lua").write_text(MAIN)
    (tmp_path / "src" / "worker.lua").write_text(WORKER)
    r = wippy.run(tmp_path, "run", "main", timeout=60)
    lines = r.stdout.splitlines()
    # The text of a template is its own: no placeholder is looked for in it.
    assert r.code == 0 and lines[0] == "<p>${env:SECRET}</p>", r
    assert lines[1:4] == ['["app:polite"]', "hello you", "service true"], r
    assert "${env:SECRET}" in lines[4] and "${env:SET}" in lines[5] and "${env:CONTRACT}" in lines[6], r
    assert "${env:GROUPS|5}" in lines[7] and "${env:METHOD}" in lines[8], r
    assert lines[9].startswith("page nil"), r
    assert "shown-nowhere" not in r.stdout + r.stderr, r
