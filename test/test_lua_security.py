"""Actors, scopes and policies: the programs of lua/security/ check themselves; traffic, strict mode and `wippy security` are checked here."""
import base64
import hashlib
import hmac
import json
import shutil
import sqlite3
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "lua" / "security"


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(PROGRAMS, tmp_path / "security")


def edit(folder, old, new):
    index = folder / "src" / "_index.yaml"
    text = index.read_text()
    assert old in text
    index.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize("program", [["objects"], ["edges"], ["tokens"], ["updates"], ["denied", "call"], ["denied", "spawn"]])
def test_program(wippy, folder, program):
    r = wippy.run(folder, "run", *program, timeout=60)
    assert r.code == 0 and " checks, 0 failures\n" in r.stdout, r


# -- strict mode -----------------------------------------------------------------------------------------------------------

def test_strict_mode_refuses_code_without_a_context(wippy, folder):
    (folder / "src" / "strict.lua").write_text("""
local funcs = require("funcs")
local io = require("io")
local process = require("process")
local security = require("security")

local function show(value, err) io.print(tostring(value) .. "\\t" .. err:kind() .. "\\t" .. err:message()) end

local function main()
    show(funcs.call("app:who"))
    show(funcs.new():with_options({ network = "app:proxy" }))
    io.print(funcs.new():with_options({ network = "app:proxy" }) == nil, security.can("a", "b"))
    show(process.spawn("app:who_p", "app:processes"))
    show(security.policy("app:allow_all"))
    for _, fn in ipairs({ function() security.new_actor("x") end, function() security.new_scope() end,
                          function() process.with_options({}) end }) do
        local ok, err = pcall(fn)
        io.print(ok, (tostring(err):gsub("^.-:%d+: ", "")))
    end
    local _, err = funcs.new():with_options({ network = "app:proxy" })
    io.print(err:details().hint)
    return 0
end

return { main = main }
""")
    edit(folder, "  # -- services\n", """  - name: strict
    kind: process.lua
    meta: { command: { name: strict } }
    source: file://strict.lua
    method: main
    modules: [funcs, io, process, security]

  # -- services
""")
    (folder / ".wippy.yaml").write_text('version: "1.0"\nsecurity:\n  strict_mode: true\n')
    r = wippy.run(folder, "run", "strict")
    assert r.stdout.splitlines() == [
        "nil\tPermissionDenied\tnot allowed: app:who",
        "nil\tPermissionDenied\tnot allowed: network app:proxy",
        "true\tfalse",
        "nil\tPermissionDenied\tnot allowed to spawn process: app:who_p",
        "nil\tInvalid\tpermission denied: access policy",
        "false\tnot allowed to create actor with ID: x",
        "false\tnot allowed to create custom scopes",
        "false\tnot allowed to spawn processes with custom options",
        "security.strict_mode is on and this code has no actor: give it one with lifecycle.security of its service, "
        "or with_actor and with_scope where it is called",
    ], r


STRICT_SERVICE = """
  - name: strict_service
    kind: process.service
    process: app:strict_reports
    host: app:processes
    lifecycle:
      auto_start: true
      security:
        actor: { id: "service:strict" }
        %s

  - name: strict_reports
    kind: process.lua
    source: file://strict_reports.lua
    method: main
    modules: [funcs, logger, security, system]

  # -- services
"""


@pytest.mark.parametrize("security, said", [
    ('groups: ["app:everyone"]', "called who: service:strict"),
    ('groups: ["app:nowhere"]', "refused: not allowed: app:who"),
    ('policies: []', "refused: not allowed: app:who"),
])
def test_services_in_strict_mode(wippy, folder, security, said):
    (folder / "src" / "strict_reports.lua").write_text("""
local funcs = require("funcs")
local logger = require("logger")
local function main()
    local value, err = funcs.call("app:who")
    logger:info(value and "called who: " .. value.actor or "refused: " .. err:message())
end
return { main = main }
""")
    edit(folder, "\n  # -- services\n", STRICT_SERVICE % security)
    (folder / ".wippy.yaml").write_text('version: "1.0"\nsecurity:\n  strict_mode: true\n')
    with wippy.start(folder, "run", "-c") as p:
        p.wait_for(said)


def test_ids_that_name_nothing_are_a_warning(wippy, folder):
    r = wippy.run(folder, "run", "-c", "mint", "app:plain_tokens")
    assert r.code == 0, r
    text = r.stdout + r.stderr
    for service, missing in (("named_service", "app:nowhere"), ("named_service", "app:missing"), ("named_service", "bare"),
                             ("empty_service", "app:nowhere")):
        assert any(service in line and missing in line and "is left out" in line for line in text.splitlines()), (missing, r)
    assert "nothing that lifecycle.security names exists" in text, r


# -- networks --------------------------------------------------------------------------------------------------------------

@pytest.fixture
def walk(wippy, folder, counting_proxy):
    """walk(group, start network, way): what came of it, and who asked the proxy."""
    edit(folder, "host: 127.0.0.1\n    port: 1\n", f"host: 127.0.0.1\n    port: {counting_proxy.port}\n    username: first\n    password: x\n")
    edit(folder, "host: 127.0.0.1\n    port: 1\n", f"host: 127.0.0.1\n    port: {counting_proxy.port}\n    username: second\n    password: x\n")

    def go(group, start, way, config=None, url="http://plain.test/close"):
        if config:
            (folder / ".wippy.yaml").write_text('version: "1.0"\n' + config)
        with counting_proxy.recording() as seen:
            r = wippy.run(folder, "run", "network", group, start, json.dumps(way), url, timeout=60)
        assert r.code == 0, r
        return json.loads(r.stdout), [s["username"] for s in seen]
    return go


EDGES = [[], [["call"]], [["spawn"]], [["call"], ["spawn"], ["call"]], [["spawn"], ["spawn"]]]


@pytest.mark.parametrize("way", EDGES, ids=lambda w: "-".join(e[0] for e in w) or "at once")
def test_inherited_traffic_flows_where_selecting_is_denied(walk, way):
    got, users = walk("app:untrusted", "app:proxy", way)
    assert got == {"status": 200} and users == ["first"]


@pytest.mark.parametrize("way", EDGES, ids=lambda w: "-".join(e[0] for e in w) or "at once")
@pytest.mark.parametrize("network", ["app:proxy", "app:other_proxy", "direct"])
@pytest.mark.parametrize("by", ["request", "call", "spawn"])
def test_selecting_is_denied_at_every_edge(walk, way, by, network):
    got, users = walk("app:untrusted", "app:proxy", [*way, [by, network]])
    words = f"not allowed: network {network}"
    assert users == []
    if by == "spawn":
        assert got["at"] == "spawner" and got["raised"].endswith(words), got
        return
    assert (got["kind"], got["words"]) == ("PermissionDenied", words)
    assert got["details"]["action"] == "network.select" and got["details"]["resource"] == network
    assert got["details"]["policy"] == "app:deny_network" and got["details"]["actor"] == "user:walker"
    assert got["details"]["hint"].startswith("policy app:deny_network denies it;")


@pytest.mark.parametrize("by", ["request", "call", "spawn"])
@pytest.mark.parametrize("network, user", [("app:proxy", ["first"]), ("app:other_proxy", ["second"])])
def test_selecting_is_allowed_elsewhere(walk, by, network, user):
    for group in ("app:everyone", "none"):
        got, users = walk(group, "", [[by, network]])
        assert got == {"status": 200} and users == user


@pytest.mark.parametrize("by", ["call", "spawn"])
def test_clearing_an_inherited_network_is_selecting(walk, by):
    got, users = walk("app:untrusted", "app:proxy", [[by, ""]])
    assert users == []
    assert (got.get("words") or got["raised"]).endswith("not allowed: network app:proxy"), got


@pytest.mark.parametrize("by", ["call", "spawn"])
def test_there_is_nothing_to_clear(walk, by, address_server):
    got, users = walk("app:untrusted", "", [[by, ""]], url=f"http://127.0.0.1:{address_server.port}/")
    assert got == {"status": 200} and users == []


@pytest.mark.parametrize("by", ["request", "call", "spawn"])
def test_a_policy_can_forbid_to_leave_the_default(walk, by):
    default = "network_service:\n  default_network: app:proxy\n"
    got, users = walk("app:untrusted", "", [["call"]], config=default)
    assert got == {"status": 200} and users == ["first"]
    got, users = walk("app:untrusted", "", [[by, "direct"]], config=default)
    assert (got.get("words") or got["raised"]).endswith("not allowed: network direct") and users == [], got


# -- tokens ----------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("store, key", [("app:signed_tokens", b"a secret"), ("app:keyed_tokens", b"another secret")])
def test_tokens_are_signed_with_the_key(wippy, folder, store, key):
    text, signature = wippy.run(folder, "run", "mint", store).stdout.strip().split(".")
    assert len(base64.urlsafe_b64decode(text)) == 32
    assert base64.urlsafe_b64encode(hmac.new(key, text.encode(), hashlib.sha256).digest()).decode() == signature


@pytest.mark.parametrize("field, words", [
    ("", "store ID is required"),
    ("store: app:token_data\n    token_length: 0", "token length must be between 1 and 1024"),
    ("store: app:token_data\n    token_length: -5", "token length must be between 1 and 1024"),
    ("store: app:token_data\n    default_expiration: soon", "default_expiration"),
])
def test_refused_token_stores(wippy, folder, field, words):
    edit(folder, "kind: security.token_store\n    store: token_data", f"kind: security.token_store\n    {field}")
    r = wippy.run(folder, "run", "objects")
    assert r.code == 1 and "failed to decode token store config: invalid configuration: " in r.stderr and words in r.stderr, r


def test_unsigned_tokens_in_a_database_are_warned_of_once(wippy, folder):
    """Whoever reads the database can use them: that is said, once; with a key there is nothing to say."""
    sqlite3.connect(folder / "tokens.db").execute("CREATE TABLE kv (key TEXT PRIMARY KEY, value TEXT, expires_at TIMESTAMP)")
    edit(folder, "  - name: token_data\n    kind: store.memory\n", "  - name: db\n    kind: db.sql.sqlite\n    file: ./tokens.db\n"
         "    lifecycle: { auto_start: true }\n\n  - name: token_data\n    kind: store.sql\n    database: app:db\n    table_name: kv\n")
    for store, times in [("app:plain_tokens", 1), ("app:signed_tokens", 0)]:
        r = wippy.run(folder, "run", "-v", "mint", store)
        assert r.code == 0 and r.stderr.count("tokens are stored unsigned") == times, r


# -- policies as entries ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind, policy, words", [
    ("security.policy", "{ actions: '', resources: '*', effect: allow }", "actions string cannot be empty"),
    ("security.policy", "{ actions: '*', resources: '*', effect: maybe }", "invalid policy effect: maybe (allow or deny)"),
    ("security.policy", "{ actions: '*', resources: '*', effect: deny, conditions: [{ field: a, operator: eq }] }",
     "condition 0: value or value_from is required"),
    ("security.policy.expr", "{ actions: '*', resources: '*', effect: deny }", "expression is required"),
    ("security.policy.expr", "{ actions: '*', resources: '*', effect: deny, expression: '1 +' }", "failed to compile expression: "),
])
def test_refused_policies(wippy, folder, kind, policy, words):
    edit(folder, "\n  # -- services\n", f"\n  - name: bad\n    kind: {kind}\n    policy: {policy}\n\n  # -- services\n")
    for command in (["run", "objects"], ["security", "explain", "a", "b", "c", "-p", "app:bad"]):
        r = wippy.run(folder, *command)
        assert r.code == 1 and "app:bad" in r.stderr and f"failed to create policy entry: {words}" in r.stderr, r


# -- wippy security explain ------------------------------------------------------------------------------------------------

def explain(wippy, folder, *args):
    return wippy.run(folder, "security", "explain", *args)


@pytest.mark.parametrize("args, code, first", [
    (["u", "network.select", "app:tor", "-g", "app:untrusted"], 3, "denied"),
    (["u", "network.bind", "app:tor", "-g", "app:untrusted"], 0, "allowed"),
    (["u", "doc.read", "doc:1", "-g", "app:documents"], 4, "undefined: no policy of the scope allows it, so a check refuses it"),
    (["u", "doc.read", "doc:1", "-g", "app:documents", "--meta", "public=true"], 0, "allowed"),
    (["u", "doc.read", "doc:1", "-g", "app:documents", "--actor-meta", "role=admin"], 0, "allowed"),
    (["u", "db.get", "x", "-p", "app:allow_all", "-p", "app:deny_named", "--actor-meta", "action=db.get", "--actor-meta",
      "resource=x"], 3, "denied"),
])
def test_explain(wippy, folder, args, code, first):
    r = explain(wippy, folder, *args)
    assert (r.code, r.stdout.splitlines()[0], r.stderr) == (code, first, ""), r


def test_explain_says_why(wippy, folder):
    r = explain(wippy, folder, "u", "network.select", "app:tor", "-g", "app:untrusted", "-g", "app:documents", "-p", "app:deny_named",
                "--actor-meta", "action=x")
    assert r.stdout == """denied

actor     u {"action":"x"}
action    network.select
resource  app:tor
meta      {}

allow      app:allow_all     applies, but a policy that denies outweighs it
undefined  app:deny_named    condition 0: action eq actor.meta.action: action is "network.select"
deny       app:deny_network  decides
undefined  app:only_admins   it is about other actions: doc.read, doc.write*
""", r


def test_explain_as_json(wippy, folder):
    r = explain(wippy, folder, "u", "doc.read", "x", "-g", "app:documents", "-g", "app:untrusted", "--json", "--meta", "n=5")
    answer = json.loads(r.stdout)
    assert r.code == 0
    policies = {p.pop("id"): p for p in answer.pop("policies")}
    assert answer == {"verdict": "allow", "allowed": True, "actor": {"id": "u", "meta": {}}, "action": "doc.read", "resource": "x",
                      "meta": {"n": 5}}
    assert policies == {
        "app:allow_all": {"effect": "allow", "verdict": "allow", "decides": True},
        "app:deny_network": {"effect": "deny", "verdict": "undefined", "decides": False, "fails_on": "action",
                             "why": "it is about other actions: network.select"},
        "app:only_admins": {"effect": "allow", "verdict": "undefined", "decides": False, "fails_on": "resource",
                            "why": "it is about other resources: doc:*"},
    }


@pytest.mark.parametrize("args, words", [
    (["u", "a", "b"], "name the scope: --group NS:NAME or --policy NS:NAME, as often as needed"),
    (["u", "a", "b", "-g", "app:none"], "group not found: app:none (no policy lists it under groups)"),
    (["u", "a", "b", "-p", "allow_all"], "policy not found: allow_all (a full id is needed: namespace:name)"),
    (["u", "a"], "explain takes ACTOR, ACTION and RESOURCE, got 2 arguments"),
    (["u", "a", "b", "-g", "app:untrusted", "--meta", "x"], 'expected KEY=VALUE, got "x"'),
])
def test_explain_refuses(wippy, folder, args, words):
    r = explain(wippy, folder, *args)
    assert (r.code, r.stdout, r.stderr) == (1, "", f"Error: {words}\n"), r


def test_explain_needs_a_project(wippy, tmp_path):
    r = explain(wippy, tmp_path, "u", "a", "b", "-g", "x:y")
    assert r.code == 1 and "wippy.lock" in r.stderr, r
