"""`wippy registry`, and the linking of requirements that it shows."""
import json

import pytest

INDEX = """
namespace: app
meta: {team: infra}
entries:
  - {name: terminal, kind: terminal.host, lifecycle: {auto_start: true}}
  - name: main
    kind: process.lua
    meta: {command: {name: main}, tags: [red, green], size: 3}
    source: "return { main = function() return 0 end }"
    method: main
    imports: {lib: app.lib:base}
  - name: proxy
    kind: network.socks5
    host: 127.0.0.1
    port: 9050
    username: me
    password: hunter2
  - name: other
    kind: network.socks5
    host: 127.0.0.1
    port: 9050
    password: ${env:PROXY_PASSWORD}
  - {name: values, kind: env.storage.static, values: {TOKEN: abc, COLOUR: red}}
"""
LIB = """
namespace: app.lib
entries:
  - {name: base, kind: library.lua, source: "return {}", imports: {deep: app.lib.deep:core}}
"""
DEEP = """
namespace: app.lib.deep
entries:
  - {name: core, kind: library.lua, source: "return {}"}
  - {name: main, kind: registry.entry, secret_word: xyzzy, nested: {auth_key: k1}, n: 1}
"""


@pytest.fixture
def folder(project):
    return project({"src/_index.yaml": INDEX, "src/lib.yaml": LIB, "src/deep.yaml": DEEP})


@pytest.fixture
def registry(wippy, folder):
    return lambda *args: wippy.run(folder, "registry", *args)


def test_list(registry):
    r = registry("list")
    assert r.code == 0 and r.stderr == "" and r.stdout.splitlines() == [
        "ID                 KIND",
        "-----------------  ------------------",
        "app.lib.deep:core  library.lua",
        "app.lib.deep:main  registry.entry",
        "app.lib:base       library.lua",
        "app:main           process.lua",
        "app:other          network.socks5",
        "app:proxy          network.socks5",
        "app:terminal       terminal.host",
        "app:values         env.storage.static",
        "",
        "Total: 8 entries",
    ], r


@pytest.mark.parametrize("flags, ids", [
    (["-k", "library.*"], ["app.lib.deep:core", "app.lib:base"]),
    (["--kind", "*.host"], ["app:terminal"]),
    (["-n", "app.lib"], ["app.lib:base"]),
    (["-n", "app.lib*", "--name", "*e"], ["app.lib.deep:core", "app.lib:base"]),
    (["--name", "main"], ["app.lib.deep:main", "app:main"]),
    (["--meta", "team=infra", "--name", "t*"], ["app:terminal"]),
    (["--meta", "team~^in.ra$", "--name", "t*"], ["app:terminal"]),
    (["--meta", "team*nfr", "--name", "t*"], ["app:terminal"]),
    (["--meta", "team^inf", "--name", "t*"], ["app:terminal"]),
    (["--meta", "team$fra", "--name", "t*"], ["app:terminal"]),
    (["--meta", "tags*ree"], ["app:main"]),
    (["--meta", "size=3"], []),
])
def test_list_filters(registry, flags, ids):
    r = registry("list", "--json", *flags)
    assert r.code == 0 and [e["id"] for e in json.loads(r.stdout)] == ids, r


def test_list_of_nothing(registry):
    assert registry("list", "-k", "none").stdout == "No entries found\n"
    assert registry("list", "-k", "none", "--json").stdout.strip() == "[]"


def test_long_names_are_cut(wippy, project):
    folder = project({"src/_index.yaml": "namespace: app\nentries: [{name: " + "x" * 80 + ", kind: " + "k" * 40 + "}]\n"})
    lines = wippy.run(folder, "registry", "list").stdout.splitlines()
    assert lines[1] == "-" * 50 + "  " + "-" * 30
    assert lines[2] == "app:" + "x" * 43 + "...  " + "k" * 27 + "..."


def test_show(registry):
    r = registry("show", "app:proxy")
    assert r.code == 0 and r.stdout.splitlines() == [
        "ID:   app:proxy", "Kind: network.socks5", "File: src/_index.yaml:12", "Metadata:", "  team: infra", "Data:",
        "  host: 127.0.0.1", "  port: 9050", "  username: me", '  password: "[redacted]"'], r


def test_show_by_name(registry):
    assert json.loads(registry("show", "values", "--json").stdout) == {
        "id": "app:values", "kind": "env.storage.static", "meta": {"team": "infra"},
        "data": {"values": {"TOKEN": "[redacted]", "COLOUR": "[redacted]"}}}


@pytest.mark.parametrize("args, words", [
    (["show", "main"], 'Error: ambiguous entry name "main", use full ID (namespace:name)\n'),
    (["show", "none"], "Error: entry not found: none"),
    (["show", "app:none"], "Error: entry not found: app:none"),
    (["show", "app:proxy", "-f", "none"], 'Error: field "none" not found in entry data\n'),
    (["show"], "Error: show takes one argument"),
    (["tree", "none"], "Error: entry not found: none"),
    (["none"], 'Error: unknown command "none" for "wippy registry"'),
    ([], "Error: say what to do"),
    (["list", "--meta", "nothing"], 'Error: invalid --meta "nothing"'),
])
def test_errors(registry, args, words):
    r = registry(*args)
    assert r.code == 1 and words in r.stderr and r.stdout == "", r


def test_show_fields(registry):
    assert registry("show", "app:proxy", "-f", "host").stdout == "127.0.0.1\n"
    assert registry("show", "app:proxy", "-f", "port").stdout == "9050\n"
    assert registry("show", "app:proxy", "-f", "port", "--json").stdout == "9050\n"
    assert registry("show", "app:main", "-f", "source").stdout == "return { main = function() return 0 end }\n"


def test_no_secret_is_shown(registry):
    seen = "".join(registry(*args).stdout for args in (
        ["show", "app:proxy"], ["show", "app:proxy", "--json"], ["show", "app:proxy", "--yaml"], ["show", "app:proxy", "--raw"],
        ["show", "app:proxy", "-f", "password"], ["show", "app.lib.deep:main"], ["show", "app.lib.deep:main", "--json"],
        ["show", "app:values"], ["list", "--json"], ["tree", "app:proxy"]))
    for secret in ("hunter2", "xyzzy", "k1", "abc"):
        assert secret not in seen
    assert "[redacted]" in seen
    # What only names a variable is no secret, and is not looked up.
    assert "${env:PROXY_PASSWORD}" in registry("show", "app:other").stdout


def test_tree(registry):
    assert registry("tree").stdout.splitlines() == [
        "app            5  env.storage.static 1, network.socks5 2, process.lua 1, terminal.host 1",
        "└─ lib         1  library.lua 1",
        "   └─ deep     2  library.lua 1, registry.entry 1",
        "",
        "Total: 8 entries",
    ]
    tree = json.loads(registry("tree", "--json").stdout)
    assert tree[0]["namespace"] == "app" and tree[0]["children"][0]["children"][0] == {
        "namespace": "app.lib.deep", "entries": 2, "kinds": {"library.lua": 1, "registry.entry": 1}, "children": []}


def test_tree_of_an_entry(registry):
    assert registry("tree", "app:main").stdout.splitlines() == [
        "app:main  (process.lua)",
        "└─ app.lib:base  (library.lua)",
        "   └─ app.lib.deep:core  (library.lua)",
    ]
    assert registry("tree", "core").stdout.splitlines() == [
        "app.lib.deep:core  (library.lua)", "", "Referred to by:", "  app.lib:base  (library.lua)"]
    assert json.loads(registry("tree", "app.lib:base", "--json").stdout) == {
        "id": "app.lib:base", "kind": "library.lua",
        "references": [{"id": "app.lib.deep:core", "kind": "library.lua", "references": []}], "referenced_by": ["app:main"]}


def test_tree_of_a_circle(wippy, project):
    folder = project({"src/_index.yaml": "namespace: app\nentries:\n  - {name: a, kind: registry.entry, host: b}\n"
                                         "  - {name: b, kind: registry.entry, host: a}\n"})
    assert wippy.run(folder, "registry", "tree", "app:a").stdout.splitlines()[:3] == [
        "app:a  (registry.entry)", "└─ app:b  (registry.entry)", "   └─ app:a  (registry.entry)  as above"]


# -- linking ---------------------------------------------------------------------------------------------------------------

MODULE = """
namespace: acme.jobs
entries:
  - name: host
    kind: ns.requirement
    default: app:default
    targets:
      - {entry: queue, path: host}
      - {entry: "acme.jobs:queue", path: meta.hosts+=}
  - name: limit
    kind: ns.requirement
    targets: [{entry: queue, path: .data.limits.max}]
  - {name: queue, kind: registry.entry, host: none, list: [a]}
"""


def linked(wippy, project, dependencies="", module=MODULE, config=None, flags=()):
    files = {"src/_index.yaml": "namespace: app\nentries:\n  - {name: x, kind: registry.entry}\n" + dependencies,
             "src/module.yaml": module}
    if config:
        files[".wippy.yaml"] = config
    folder = project(files)
    return wippy.run(folder, "registry", "show", "acme.jobs:queue", "--json", "-v", *flags)


def dependency(name, *parameters, component="acme/jobs"):
    return (f"  - name: {name}\n    kind: ns.dependency\n    component: {component}\n    parameters:\n"
            + "".join(f"      - {{name: {n}, value: {v}}}\n" for n, v in parameters))


def test_a_default_and_no_value(wippy, project):
    r = linked(wippy, project)
    got = json.loads(r.stdout)
    assert got["data"] == {"host": "app:default", "list": ["a"]} and got["meta"] == {"hosts": ["app:default"]}
    assert "unresolved requirement" in r.stderr and "acme.jobs:limit: no value available: no dependency parameter found" in r.stderr


def test_parameters(wippy, project):
    r = linked(wippy, project, dependency("jobs", ("host", "app:heavy"), ("acme.jobs:limit", "7")))
    got = json.loads(r.stdout)
    assert got["data"]["host"] == "app:heavy" and got["data"]["limits"] == {"max": 7} and got["meta"]["hosts"] == ["app:heavy"]
    assert "unresolved" not in r.stderr, r


def test_equal_values_agree_and_others_conflict(wippy, project):
    same = dependency("one", ("host", "h")) + dependency("two", ("host", "h"))
    assert json.loads(linked(wippy, project, same).stdout)["data"]["host"] == "h"
    r = linked(wippy, project, dependency("one", ("host", "h")) + dependency("two", ("host", "i")))
    assert "parameter conflict: multiple dependencies define different values: app:one and app:two" in r.stderr, r
    assert json.loads(r.stdout)["data"]["host"] == "none"


def test_another_component_does_not_match(wippy, project):
    r = linked(wippy, project, dependency("one", ("host", "h"), component="acme/other"))
    assert json.loads(r.stdout)["data"]["host"] == "app:default"


def test_overrides_win_over_what_is_linked(wippy, project):
    config = 'version: "1.0"\noverride:\n  acme.jobs:queue:host: mine\n'
    assert json.loads(linked(wippy, project, config=config).stdout)["data"]["host"] == "mine"


@pytest.mark.parametrize("targets, words", [
    ("[]", "no targets defined in requirement definition"),
    ("[{entry: none, path: x}]", "no matching entries found: acme.jobs:none"),
    ("[{entry: queue, path: host+=}]", "cannot append to non-array at path: host"),
])
def test_targets_that_cannot_be_written(wippy, project, targets, words):
    module = MODULE.replace("default: app:default\n    targets:\n", "default: d\n    targets: " + targets + "\n", 1)
    module = "\n".join(line for line in module.splitlines() if "{entry: queue, path: host}" not in line
                       and "meta.hosts" not in line)
    r = linked(wippy, project, module=module)
    assert r.code == 0 and words in r.stderr, r


@pytest.mark.parametrize("extra, words", [
    ("  - {name: d, kind: ns.dependency, component: acme}\n", "invalid format (expected org/module, got \"acme\")"),
    ("  - {name: d, kind: ns.dependency, component: a/b, parameters: [x]}\n", "field 'parameters[0]'"),
    ("  - {name: r, kind: ns.requirement, targets: [{entry: x}]}\n", "field 'targets[0]'"),
    ("  - {name: r, kind: ns.requirement, targets: x}\n", "field 'targets': expected a list"),
])
def test_what_cannot_be_understood_is_fatal(wippy, project, extra, words):
    r = linked(wippy, project, extra)
    assert r.code == 1 and words in r.stderr and "src/_index.yaml:4" in r.stderr, r
