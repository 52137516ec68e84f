"""Who shares a connection and an identity at the proxy, and which overlay each edge of a program ends up on.

The counting proxy tells who came: every overlay of a test has a username of its own, every question a target of its own.
"""
import itertools
import json
import os
import random
import re

import pytest

HEX16 = re.compile(r"[0-9a-f]{16}")


# -- identities at the proxy -----------------------------------------------------------------------------------------------

FETCH = "local function main(url, n) for i = 1, n do local got = ask(url, { overlay_network = 'app:proxy' }) " \
        "if got.error then return nil, got.error end end return 'ok' end"
THREE_URLS = """
local function main(...)
  for _, url in ipairs({ ... }) do
    say(ask(url, { overlay_network = "app:proxy" }))
  end
end
"""


def dials(proxy, lua, code, *args, **kw):
    with proxy.recording() as seen:
        r = lua(code, *args, **kw)
    for value in r.values:
        assert "error" not in value, r
    return seen


def credentials(seen):
    return [(s["username"], s["password"]) for s in seen]


def test_isolate_streams_mints_credentials_for_each_dial(lua, overlay, counting_proxy):
    entry = overlay("proxy", counting_proxy.port, isolate_streams=True, username="configured", password="configured")
    seen = dials(counting_proxy, lua, THREE_URLS, *["http://plain.test/close"] * 3, overlays=[entry])
    assert len(seen) == 3
    assert all(HEX16.fullmatch(u) and u == p for u, p in credentials(seen)), seen
    assert len(set(credentials(seen))) == 3


def test_configured_credentials_stay(lua, overlay, counting_proxy):
    entry = overlay("proxy", counting_proxy.port, username="configured", password="word")
    seen = dials(counting_proxy, lua, THREE_URLS, *["http://plain.test/close"] * 3, overlays=[entry])
    assert credentials(seen) == [("configured", "word")] * 3


def test_no_credentials_means_none_sent(lua, overlay, counting_proxy):
    seen = dials(counting_proxy, lua, THREE_URLS, "http://plain.test/", overlays=[overlay("proxy", counting_proxy.port)])
    assert credentials(seen) == [(None, None)]


def test_one_process_reuses_its_own_connection(lua, overlay, counting_proxy):
    entry = overlay("proxy", counting_proxy.port, isolate_streams=True)
    assert len(dials(counting_proxy, lua, THREE_URLS, *["http://plain.test/"] * 3, overlays=[entry])) == 1


ONE_AFTER_THE_OTHER = """
local function main(how, url)
  for i = 1, 3 do
    local value, err
    if how == "call" then
      value, err = funcs.call("app:fetch_f", url, 2)
    else
      value, err = process.exec("app:fetch_p", "app:processes", url, 2)
    end
    say(err and { error = tostring(err) } or { value = value })
  end
end
"""
ONE_WORKER = {"supervisor": {"host": {"worker_count": 1}}}


@pytest.mark.parametrize("how", ["call", "spawn"])
@pytest.mark.parametrize("isolated", [True, False])
def test_a_kept_alive_connection_is_lent_to_others_only_without_isolation(lua, overlay, counting_proxy, how, isolated):
    entry = overlay("proxy", counting_proxy.port, isolate_streams=isolated)
    seen = dials(counting_proxy, lua, ONE_AFTER_THE_OTHER, how, "http://plain.test/", overlays=[entry], config=ONE_WORKER,
                 functions={"fetch_f": FETCH}, processes={"fetch_p": FETCH})
    assert len(seen) == (3 if isolated else 1)
    assert len(set(credentials(seen))) == len(seen)


TWO_HOSTS_TWO_PROCESSES = """
local function main()
  for i = 1, 2 do
    for _, url in ipairs({ "http://plain.test/close", "http://hidden.onion/close" }) do
      local value, err = process.exec("app:fetch_p", "app:processes", url, 2)
      say(err and { error = tostring(err) } or { value = value })
    end
  end
end
"""


@pytest.mark.parametrize("isolation, identities", [("process", 4), ("host", 2), ("scraper-7", 1), ("dial", 8)])
def test_isolation_by_other_keys(lua, overlay, counting_proxy, isolation, identities):
    entry = overlay("proxy", counting_proxy.port, isolation=isolation)
    seen = dials(counting_proxy, lua, TWO_HOSTS_TWO_PROCESSES, overlays=[entry], processes={"fetch_p": FETCH})
    assert len(seen) == 8
    assert len(set(credentials(seen))) == identities
    assert all(u and p and isolation not in u for u, p in credentials(seen)), seen
    if isolation == "host":
        assert len({(s["username"], s["host"]) for s in seen}) == 2


@pytest.mark.parametrize("host, atyp", [("plain.test", "name"), ("PLAIN.test", "name"), ("127.0.0.1", "ipv4"), ("[::1]", "ipv6"),
                                        ("localhost", "name"), ("0x7f.1", "name"), ("2130706433", "name"),
                                        ("xn--bcher-kva.test", "name"), ("under_score.test", "name"), ("plain.test.", "name")])
def test_names_travel_unresolved_and_literals_as_addresses(lua, overlay, counting_proxy, host, atyp):
    code = 'local function main(url) ask(url, { overlay_network = "app:proxy", timeout = "5s" }) end'
    with counting_proxy.recording() as seen:
        lua(code, f"http://{host}:9/", overlays=[overlay("proxy", counting_proxy.port)])
    assert [(s["atyp"], s["host"].lower(), s["port"]) for s in seen] == [(atyp, host.strip("[]").lower(), 9)]


def test_networks_never_share_a_connection(lua, overlay, counting_proxy, start_rig):
    server = start_rig("quick_server.py")
    code = """
local function main(url)
  local seen = {}
  for round = 1, 2 do
    for _, network in ipairs({ "direct", "app:a", "app:b" }) do
      local resp, err = http_client.get(url, { overlay_network = network })
      table.insert(seen, err and tostring(err) or resp.status_code)
    end
  end
  local resp = http_client.get(url .. "stats", { headers = { Connection = "close" } })
  say({ seen = seen, stats = json.decode(resp.body) })
end
"""
    with counting_proxy.recording() as seen:
        r = lua(code, f"http://127.0.0.1:{server.port}/", config=ONE_WORKER,
                overlays=[overlay(n, counting_proxy.port, username=n, password="x") for n in "ab"])
    assert r.only["seen"] == [200] * 6, r
    # The question for the numbers itself came over the direct connection, which then is not counted.
    assert r.only["stats"]["connections"] == 2, r
    assert [s["username"] for s in seen] == ["a", "b"]


# -- which overlay an edge ends on -----------------------------------------------------------------------------------------
#
# A way is a list of edges walked from the command's process; at its end somebody asks for a URL of that way's own.

WALK = """
local function walk(way, at, url)
  local edge = way[at]
  if not edge then
    return ask(url, { timeout = "10s" })
  end
  if edge.by == "request" then
    return ask(url, { timeout = "10s", overlay_network = edge.network })
  end
  if edge.by == "coroutine" then
    local ch = channel.new(1)
    coroutine.spawn(function() ch:send(walk(way, at + 1, url)) end)
    return (ch:receive())
  end
  if edge.by == "call" or edge.by == "pinned" then
    local target = edge.by == "pinned" and "app:pinned" or "app:step_f"
    local value, err
    if edge.network then
      value, err = funcs.new():with_options({ network = edge.network }):call(target, way, at + 1, url)
    else
      value, err = funcs.call(target, way, at + 1, url)
    end
    return value or { error = tostring(err), kind = err:kind() }
  end
  if edge.by == "async" or edge.by == "retry" or edge.by == "process_function" then
    local target = edge.by == "process_function" and "app:step_pf" or "app:step_f"
    local retry = edge.by == "retry" and { max_attempts = 2 } or nil
    local future = assert(funcs.new():with_options({ network = edge.network, retry = retry }):async(target, way, at + 1, url))
    future:channel():receive()
    local payload, err = future:result()
    return payload and payload:data() or { error = tostring(err), kind = err:kind() }
  end
  if edge.by == "exec" then
    local value, err = process.exec("app:step_p", "app:processes", way, at + 1, url)
    return value or { error = tostring(err), kind = err:kind() }
  end
  local topic = "answer-" .. url
  local answers = process.listen(topic)
  local spawn, pid, err = edge.by
  if edge.network then
    local spawner = process.with_options({ network = edge.network })
    pid, err = spawner[spawn](spawner, "app:step_p", "app:processes", way, at + 1, url, process.pid(), topic)
  else
    pid, err = process[spawn]("app:step_p", "app:processes", way, at + 1, url, process.pid(), topic)
  end
  if err then
    return { error = tostring(err), kind = err:kind() }
  end
  local answer = answers:receive()
  process.unlisten(answers)
  return answer
end
"""
STEP = WALK + """
local function main(way, at, url, boss, topic)
  local answer = walk(way, at, url)
  if boss then
    process.send(boss, topic, answer)
  end
  return answer
end
"""
WALK_ALL = WALK + """
local function main()
  for _, row in ipairs(json.decode([==[ROWS]==])) do
    local ok, answer = pcall(walk, row.way, 1, row.url)
    say(ok and { ip = answer.ip, error = answer.error, kind = answer.kind } or { error = tostring(answer) })
  end
end
"""
CHOICES = [None, "app:a", "app:b", "", "direct"]
SPAWNS = ["spawn", "spawn_monitored", "spawn_linked", "spawn_linked_monitored"]
PINNED_TO = "app:b"


def edges():
    for by in ("call", "pinned", *SPAWNS):
        for network in CHOICES:
            yield {"by": by, "network": network} if network is not None else {"by": by}
    for by in ("async", "retry", "process_function"):
        for network in (None, "app:a", ""):
            yield {"by": by, "network": network} if network is not None else {"by": by}
    yield {"by": "exec"}
    yield {"by": "coroutine"}


def ends():
    yield []
    for network in CHOICES:
        yield [{"by": "request", "network": network} if network is not None else {"by": "request"}]


def effective(way, default):
    """The rule: explicit (the caller's word over the entry's), else inherited, else the default, else the clear network.
    An empty choice drops what is chosen and inherited; on a request it says nothing."""
    now = default
    for edge in way:
        chosen = edge.get("network")
        if edge["by"] == "request":
            now = chosen or now
        elif chosen is not None:
            now = chosen or default
        elif edge["by"] == "pinned":
            now = PINNED_TO
    return now if now != "direct" else None


def ways():
    every = list(edges())
    yield from ([*end] for end in ends())
    yield from ([e, *end] for e in every for end in ends())
    # Deeper: every pair of edges, and a random choice of those three levels deep, the same in each run.
    yield from ([a, b] for a in every for b in every)
    some = random.Random(20)
    for _ in range(300):
        yield [*some.choices(every, k=3), *some.choice(list(ends()))]


@pytest.mark.parametrize("default", [None, "app:d"])
def test_every_edge_with_every_choice(lua, overlay, start_rig, tmp_path, default):
    server = start_rig("what_is_my_address.py", "--bind", "0.0.0.0")
    proxy = start_rig("socks_count.py", "--source", "127.0.0.2", log=str(tmp_path / "proxy.jsonl"))
    # The thread sanitizer's record of calls grows with each error that Lua throws, without bound.
    every = list(ways())[::20 if os.environ.get("WIPPY_SANITIZER") == "thread" else 1]
    rows = [{"way": way, "url": f"http://127.1.{i // 250}.{i % 250 + 1}:{server.port}/"} for i, way in enumerate(every)]
    r = lua(WALK_ALL.replace("ROWS", json.dumps(rows)), functions={"step_f": STEP}, processes={"step_p": STEP},
            overlays=[overlay(n, proxy.port, username=n, password="x") for n in "abd"], timeout=60,
            entries=[lua.entry("pinned", STEP, "function.lua", meta={"options": {"network": PINNED_TO}}),
                     lua.entry("step_pf", STEP, "process.lua", meta={"default_host": "app:processes"})],
            config={"supervisor": {"host": {"worker_count": 4}}, "network_service": {"default_network": default or ""}})
    came = {}
    for record in proxy.records():
        came.setdefault(record["host"], []).append("app:" + record["username"])
    assert len(r.values) == len(rows), r
    wrong = []
    for row, answer in zip(rows, r.values):
        want = effective(row["way"], default)
        got = came.get(row["url"].split("/")[2].split(":")[0], [])
        if got != ([want] if want else []) or answer.get("ip") != ("127.0.0.2" if want else "127.0.0.1"):
            wrong.append((row["way"], "expected", want, "came at", got, "answer", answer))
    assert not wrong, "\n".join(map(str, [len(wrong), "of", len(rows), *wrong[:10]]))


@pytest.mark.parametrize("way", [[{"by": "call", "network": "app:nope"}], [{"by": "spawn", "network": "app:nope"}],
                                 [{"by": "call", "network": "a"}], [{"by": "spawn", "network": "a"}],
                                 [{"by": "call", "network": "app:step_f"}]], ids=str)
def test_an_unknown_network_fails_the_edge(lua, overlay, counting_proxy, address_server, way):
    with counting_proxy.recording() as seen:
        r = lua(WALK_ALL.replace("ROWS", json.dumps([{"way": way, "url": address_server.url}])), functions={"step_f": STEP},
                processes={"step_p": STEP}, overlays=[overlay("a", counting_proxy.port)])
    assert r.only["error"] == "network: service not found", r
    assert seen == []


@pytest.mark.parametrize("way", [[], [{"by": "call"}], [{"by": "spawn"}]], ids=str)
def test_an_unknown_default_network_fails_closed(lua, wippy, overlay, counting_proxy, start_rig, way):
    server = start_rig("quick_server.py")
    rows = json.dumps([{"way": way, "url": f"http://127.0.0.1:{server.port}/"}])
    folder = lua.write(WALK_ALL.replace("ROWS", rows), functions={"step_f": STEP}, processes={"step_p": STEP},
                       overlays=[overlay("a", counting_proxy.port)], config={"network_service": {"default_network": "app:gone"}})
    r = wippy.run(folder, "run", "go")
    assert r.code == 1 and "service not found" in r.stderr and "app:gone" in r.stderr, r
    assert r.stdout == ""


def test_a_choice_does_not_reach_parents_or_siblings(lua, overlay, counting_proxy, address_server):
    code = WALK + f"""
local function main()
  local url = "{address_server.url}"
  local first = walk({{ {{ by = "call", network = "app:a" }} }}, 1, url)
  local second = walk({{ {{ by = "spawn", network = "app:a" }} }}, 1, url)
  say({{ first.ip, second.ip, ask(url).ip, walk({{ {{ by = "call" }} }}, 1, url).ip, walk({{ {{ by = "spawn" }} }}, 1, url).ip }})
end
"""
    r = lua(code, functions={"step_f": STEP}, processes={"step_p": STEP}, overlays=[overlay("a", counting_proxy.port)])
    assert r.only == ["127.0.0.2", "127.0.0.2", "127.0.0.1", "127.0.0.1", "127.0.0.1"]


def test_options_replace_on_an_executor_and_merge_on_a_spawner(lua, overlay, counting_proxy, address_server):
    code = f"""
local function main()
  local url = "{address_server.url}"
  local executor = funcs.new():with_options({{ network = "app:a" }})
  local replaced = executor:with_options({{ other = 1 }})
  say({{ replaced:call("app:step_f", {{}}, 1, url).ip, executor:call("app:step_f", {{}}, 1, url).ip }})
  local answers = process.listen("answer")
  local spawner = process.with_options({{ network = "app:a" }})
  local merged, cleared = spawner:with_options({{ other = 1 }}), spawner:with_options({{ network = "" }})
  for _, s in ipairs({{ merged, spawner, cleared, spawner:with_options({{ network = 7 }}) }}) do
    s:spawn("app:step_p", "app:processes", {{}}, 1, url, process.pid(), "answer")
    say(answers:receive().ip)
  end
end
"""
    r = lua(code, functions={"step_f": STEP}, processes={"step_p": STEP}, overlays=[overlay("a", counting_proxy.port)])
    # A network that is no text counts as not given.
    assert r.values == [["127.0.0.1", "127.0.0.2"], "127.0.0.2", "127.0.0.2", "127.0.0.1", "127.0.0.1"], r
