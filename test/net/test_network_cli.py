"""`wippy network`, and what a program tells about its overlays: their states, events, metrics, and the way of each connection."""
import json
import os
import re
import socket
import stat
import threading

import pytest
from test_tailscale import programs  # noqa: F401 (a fixture)
from web import serving, write_project


def status_of(wippy, folder, *args):
    r = wippy.run(folder, "network", "status", "--json", *args)
    assert r.code == 0, repr(r)
    return {v["id"]: v for v in json.loads(r.stdout)}


def check(wippy, folder, *args):
    """Exit code and what was told."""
    r = wippy.run(folder, "network", "check", "--json", *args)
    assert r.stdout.startswith("{"), repr(r)
    return r.code, json.loads(r.stdout)


def explain(wippy, folder, *args):
    r = wippy.run(folder, "network", "explain", "--json", *args)
    return r.code, json.loads(r.stdout) if r.stdout else r.stderr


def stalls(s):
    """Takes a greeting and says nothing."""
    s.recv(16)
    threading.Event().wait(60)


def is_no_proxy(s):
    s.recv(16)
    s.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def wants_credentials(s):
    s.recv(16)
    s.sendall(b"\x05\xff")


def refuses(code):
    def handle(s):
        s.recv(16)
        s.sendall(b"\x05\x00")
        s.recv(300)
        s.sendall(bytes([5, code, 0, 1, 0, 0, 0, 0, 0, 0]))
    return handle


# -- status ----------------------------------------------------------------------------------------------------------------

def test_status_without_a_running_program(wippy, lua, overlay, nobody):
    folder = lua.write("local function main() end", overlays=[overlay("b", nobody), overlay("a", nobody)])
    told = status_of(wippy, folder)
    assert list(told) == ["app:a", "app:b"]
    # A proxy has no session: nothing is known before something dials.
    assert told["app:a"]["state"] == "starting" and told["app:a"]["kind"] == "network.socks5"
    text = wippy.run(folder, "network", "status").stdout.splitlines()
    assert text[0].split() == ["NETWORK", "KIND", "STATE", "SINCE", "DIALS", "FAILED", "ADDRESS"]
    assert text[1].split()[:3] == ["app:a", "network.socks5", "starting"]


def test_status_of_a_project_without_networks(wippy, lua):
    folder = lua.write("local function main() end")
    r = wippy.run(folder, "network", "status")
    assert r.code == 0 and "no network entries" in r.stdout
    assert not (folder / ".wippy/net").exists()


def test_an_entry_that_cannot_be_read(wippy, lua, overlay):
    folder = lua.write("local function main() end", overlays=[overlay("a", 0)])
    r = wippy.run(folder, "network", "status")
    assert r.code == 1 and "invalid port" in r.stderr


def test_the_configured_sidecar_is_the_one_that_is_started(wippy, lua, nobody):
    entry = {"name": "tailnet", "kind": "network.tailscale", "auth_key": "tskey-none", "control_url": f"http://127.0.0.1:{nobody}"}
    folder = lua.write("local function main() end", overlays=[entry], config={"network_service": {"sidecar": "/nonexistent/tsnet"}})
    for words in (["status"], ["check", "app:tailnet"]):
        r = wippy.run(folder, "network", *words)
        assert r.code == 1 and "'/nonexistent/tsnet' (network_service.sidecar) is no program" in r.stderr, repr(r)
        assert "tskey-none" not in r.stdout + r.stderr


ASK_TWICE = """
local function main(dead, target)
  http_client.get("http://127.0.0.1:1/", { overlay_network = "app:dead" })
  local resp = http_client.get(target, { overlay_network = "app:live" })
  say(resp.status_code)
  io.print("asked")
  time.sleep("600s")
end
"""


def test_status_of_a_running_program(wippy, lua, overlay, site, microsocks, nobody, slower):
    web = site()
    asker = {"name": "asker", "kind": "process.service", "process": "app:ask", "host": "app:processes",
             "input": ["", f"http://127.0.0.1:{web.port}/"], "lifecycle": {"auto_start": True}}
    folder = lua.write("local function main() end", overlays=[overlay("dead", nobody), overlay("live", microsocks.port)],
                       processes={"ask": ASK_TWICE.replace("io.print", "print").replace("say(", "print(")}, entries=[asker])
    with wippy.start(folder, "run") as program:
        program.wait_for("asked")
        told = status_of(wippy, folder)
        assert told["app:live"]["state"] == "ready" and told["app:live"]["dials"] == 1
        assert told["app:dead"]["state"] == "down" and told["app:dead"]["dials_failed"] == 1
        assert "connection refused" in told["app:dead"]["reason"]
        assert told["app:live"]["listening"] == []
        # Only the program's own user finds the way there.
        for path in (".wippy/net", ".wippy/net/control", ".wippy/net/control/run"):
            assert stat.S_IMODE(os.stat(folder / path).st_mode) == 0o700, path
        with wippy.start(folder, "network", "status", "--watch") as watching:
            watching.wait_for("app:live  ready")
            watching.wait_for("app:dead  down")
            watching.signal()
            assert watching.wait() == 0
        # A second program with the same state directory leaves the first one's socket alone.
        with wippy.start(folder, "run") as second:
            second.wait_for("another program answers in this state directory")
            second.signal()
            second.wait()
        assert status_of(wippy, folder)["app:live"]["dials"] == 1
        program.signal()
        assert program.wait() == 0
    assert not (folder / ".wippy/net/control/run/socket").exists()
    assert status_of(wippy, folder)["app:live"]["state"] == "starting"


def test_questions_to_a_running_program_are_bounded(wippy, lua, overlay, nobody):
    """Too many, too long, unknown, and half a question: the program goes on answering."""
    folder = lua.write("local function main() end", overlays=[overlay("dead", nobody)])
    with wippy.start(folder, "run") as program:
        program.wait_for("runtime ready")
        there = os.getcwd()
        os.chdir(folder / ".wippy/net/control/run")
        try:
            def ask(data):
                s = socket.socket(socket.AF_UNIX)
                s.settimeout(10)
                s.connect("socket")
                try:
                    s.sendall(data)
                except BrokenPipeError:  # it was thrown out already
                    pass
                return s

            def answer(s):
                try:
                    return s.recv(100)
                except ConnectionResetError:  # what it had not read yet
                    return b""
            silent = [ask(b"netw") for _ in range(4)]
            assert answer(ask(b"x" * 200)) == b""
            assert json.loads(answer(ask(b"passwords\n"))) == {"error": "unknown question"}
            assert status_of(wippy, folder)["app:dead"]["state"] == "starting"
            silent += [ask(b"") for _ in range(8)]
            # There is room again when they are thrown out.
            assert all(answer(s) == b"" for s in silent)
            assert status_of(wippy, folder)["app:dead"]["state"] == "starting"
        finally:
            os.chdir(there)
        program.signal()
        assert program.wait() == 0


def test_a_start_that_takes_too_long_says_what_it_waits_for(wippy, peer, tmp_path):
    """A bridge that never answers."""
    entries = [{"name": "i2p", "kind": "network.i2p", "host": "127.0.0.1", "port": peer(stalls).port},
               {"name": "web", "kind": "http.service", "addr": ":80", "network": "app:i2p", "lifecycle": {"auto_start": True, "start_timeout": "700ms"}}]
    with wippy.start(write_project(tmp_path, entries), "run", "-c") as program:
        program.wait_for('the server waits for its network  server="app:web"  network="app:i2p"  state="starting"  reason="the first session is being made')
        program.signal()
        program.wait()


# -- check -----------------------------------------------------------------------------------------------------------------

def test_check_reaches_its_target(wippy, lua, overlay, site, microsocks):
    web = site()
    folder = lua.write("local function main() end", overlays=[overlay("proxy", microsocks.port)])
    code, told = check(wippy, folder, "app:proxy", f"http://localhost:{web.port}/")
    assert code == 0 and told["ok"] and told["status"] == 200 and told["state"] == "ready"
    assert told["resolver"] == "proxy" and told["phase"] == "done"
    assert told["dial_ms"] > 0 and told["handshake_ms"] > 0 and told["total_ms"] >= told["dial_ms"] + told["handshake_ms"]
    code, told = check(wippy, folder, "app:proxy", f"tcp://127.0.0.1:{web.port}")
    assert code == 0 and told["resolver"] == "none" and "status" not in told
    text = wippy.run(folder, "network", "check", "app:proxy", f"http://localhost:{web.port}/").stdout
    assert "handshake" in text and "status      200" in text


@pytest.mark.parametrize("handle,code,state,phase", [
    (is_no_proxy, 4, "degraded", "handshake"),
    (wants_credentials, 4, "degraded", "handshake"),
    (refuses(4), 4, "ready", "handshake"),
    (refuses(1), 4, "starting", "handshake"),
    (stalls, 5, "degraded", "handshake"),
], ids=["no proxy", "credentials", "host unreachable", "general failure", "stalls"])
def test_check_fails(wippy, lua, overlay, peer, handle, code, state, phase):
    folder = lua.write("local function main() end", overlays=[overlay("proxy", peer(handle).port)])
    got, told = check(wippy, folder, "app:proxy", "http://name.example/", "--timeout", "700ms")
    assert (got, told["state"], told["phase"], told["ok"]) == (code, state, phase, False)
    assert "name.example" in told["error"] and "name.example" not in told.get("reason", "")


def test_check_of_a_dead_proxy_and_of_nonsense(wippy, lua, overlay, nobody):
    folder = lua.write("local function main() end", overlays=[overlay("proxy", nobody)])
    code, told = check(wippy, folder, "app:proxy", "http://name.example/")
    assert code == 3 and told["state"] == "down" and told["phase"] == "dial" and told["code"] == "connect_refused"
    for args, words in [(["app:none"], "network not found"), (["app:proxy", "ftp://a/"], "expected http://"), (["app:proxy", "tcp://a"], "expected http://"),
                        ([], "say `wippy network status`"), (["app:proxy", "http://a/", "-t", "soon"], "invalid --timeout")]:
        r = wippy.run(folder, "network", "check", *args)
        assert r.code == 1 and words in r.stderr, repr(r)


def takes_credentials(username, password):
    def handle(s):
        s.recv(16)
        s.sendall(b"\x05\x02")
        want = bytes([1, len(username)]) + username + bytes([len(password)]) + password
        s.sendall(b"\x01\x00" if s.recv(600) == want else b"\x01\x01")
    return handle


def takes_everybody(s):
    s.recv(16)
    s.sendall(b"\x05\x00")


@pytest.mark.parametrize("handle,fields,code,state,told", [
    (takes_everybody, {}, 0, "ready", {"method": "no authentication", "phase": "done"}),
    (takes_credentials(b"user", b"hunter2"), {"username": "user", "password": "hunter2"}, 0, "ready", {"method": "username and password"}),
    (takes_credentials(b"user", b"other"), {"username": "user", "password": "hunter2"}, 3, "degraded", {"code": "socks_auth_failed"}),
    (takes_everybody, {"isolate_streams": True}, 0, "degraded", {"method": "no authentication"}),
    (wants_credentials, {}, 3, "degraded", {"code": "socks_no_method", "phase": "handshake"}),
    (is_no_proxy, {}, 3, "degraded", {"code": "socks_bad_version"}),
    (stalls, {}, 5, "degraded", {"code": "socks_handshake_timeout", "phase": "handshake"}),
], ids=["nothing asked", "credentials", "wrong credentials", "cannot isolate", "credentials wanted", "no proxy", "stalls"])
def test_check_without_a_target_greets_the_proxy(wippy, lua, overlay, peer, handle, fields, code, state, told):
    p = peer(handle)
    folder = lua.write("local function main() end", overlays=[overlay("proxy", p.port, **fields)])
    got, answer = check(wippy, folder, "app:proxy", "--timeout", "700ms")
    assert (got, answer["state"], answer["ok"]) == (code, state, code == 0), answer
    assert {k: answer.get(k) for k in told} == told and "target" not in answer
    assert answer["dial_ms"] > 0 and ("handshake_ms" in answer) == (code == 0)
    assert "hunter2" not in json.dumps(answer)
    assert answer["dials"] == 0 and p.connections == 1


def test_check_without_a_target_in_words(wippy, lua, overlay, peer, nobody):
    folder = lua.write("local function main() end", overlays=[overlay("proxy", peer(takes_everybody).port), overlay("dead", nobody)])
    text = wippy.run(folder, "network", "check", "app:proxy").stdout
    assert re.search(r"^state +ready$(.|\n)*^dial +[0-9.]+ ms$(.|\n)*^handshake +[0-9.]+ ms$(.|\n)*^method +no authentication$", text, re.M), text
    r = wippy.run(folder, "network", "check", "app:dead")
    assert r.code == 3 and re.search("^failed in +dial: socks probe tcp .*connection refused$", r.stdout, re.M), repr(r)


@pytest.mark.parametrize("answer,code,told", [
    (b"HELLO REPLY RESULT=OK VERSION=3.1\n", 0, {"method": "SAM 3.1", "phase": "done"}),
    (b"HELLO REPLY RESULT=NOVERSION\n", 3, {"code": "i2p_no_version", "phase": "handshake"}),
    (b"", 5, {"code": "i2p_timeout"}),
], ids=["3.1", "no version", "stalls"])
def test_check_without_a_target_greets_the_bridge(wippy, lua, peer, answer, code, told):
    p = peer(lambda s: (s.recv(100), s.sendall(answer)))
    folder = lua.write("local function main() end", overlays=[{"name": "i2p", "kind": "network.i2p", "host": "127.0.0.1", "port": p.port}])
    got, said = check(wippy, folder, "app:i2p", "--timeout", "700ms")
    assert got == code and {k: said.get(k) for k in told} == told, said


def test_a_control_server_that_is_not_there_is_told_of(wippy, lua, programs, nobody):  # noqa: F811
    entry = {"name": "tailnet", "kind": "network.tailscale", "auth_key": "tskey-none", "control_url": f"http://127.0.0.1:{nobody}"}
    folder = lua.write("local function main() end", overlays=[entry])
    r = wippy.run(folder, "network", "check", "app:tailnet", "--json", "-t", "4s", env={"WIPPY_TSNET": programs + "/wippy-tsnet"})
    told = json.loads(r.stdout)
    assert (r.code, told["state"]) == (5, "starting") and f"127.0.0.1:{nobody}: connect: connection refused" in told["reason"], r


# -- explain ---------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("default", [None, "app:d"])
def test_explain(wippy, lua, overlay, nobody, default):
    f = "return {main = function() end}"
    entries = [{"name": n, "kind": "function.lua", "method": "main", "source": f, "meta": {"options": {"network": network}}}
               for n, network in (("with", "app:e"), ("clears", ""))]
    folder = lua.write("local function main() end", entries=entries,
                       overlays=[overlay(n, nobody, **x) for n, x in (
                           ("d", {}), ("e", {"isolation": "process"}), ("c", {"isolate_streams": True}), ("i", {}))],
                       config={"network_service": {"default_network": default}} if default else None)
    nothing = (default, "default") if default else ("direct", "direct")
    for args, expected in [
        ([], nothing),
        (["--entry", "app:with"], ("app:e", "entry")),
        (["--entry", "app:clears", "--inherited", "app:i"], nothing),
        (["--entry", "app:go", "--inherited", "app:i"], ("app:i", "inherited")),
        (["--entry", "app:with", "--inherited", "app:i"], ("app:e", "entry")),
        (["--entry", "app:with", "--call", "app:c"], ("app:c", "call")),
        (["--entry", "app:with", "--call", ""], nothing),
        (["--call", "direct", "--inherited", "app:i"], ("direct", "call")),
        (["--call", "app:c", "--request", "app:i"], ("app:i", "call")),
    ]:
        code, told = explain(wippy, folder, "name.example", *args)
        assert (code, told["overlay"], told["chosen_by"]) == (0, *expected), args
        assert told["resolver"] == ("system" if told["overlay"] == "direct" else "proxy")
    assert explain(wippy, folder, "--call", "app:c")[1]["isolation"] == "dial"
    assert explain(wippy, folder, "--entry", "app:with")[1]["isolation"] == "process"
    assert explain(wippy, folder, "192.0.2.1", "--call", "app:c")[1]["resolver"] == "none"
    code, told = explain(wippy, folder, "--call", "app:none")
    assert code == 4 and told["refused"] == "network: service not found"
    code, told = explain(wippy, folder, "x.onion", "--call", "direct")
    assert code == 4 and ".onion" in told["refused"]
    assert explain(wippy, folder, "--entry", "app:nothing")[0] == 1
    # However the target is written, it is the host that is judged.
    for target in ("http://x.onion/", "x.onion:80", "wss://X.ONION.:81/a?b", "name.i2p:443"):
        code, told = explain(wippy, folder, target, "--call", "direct")
        assert (code, told["target"], told["resolver"]) == (4, target, "none") and ".onion" in told["refused"], told
    for target in ("::1", "[::1]", "[::1]:80", "192.0.2.1:80", "https://[2001:db8::1]:8443/"):
        assert explain(wippy, folder, target, "--call", "direct")[1]["resolver"] == "none", target
    for target in ("", "http:///x", "a b", "x:port"):
        code, told = explain(wippy, folder, target)
        assert code == 1 and f'cannot explain "{target}"' in told, (target, told)


# -- the way of a connection -----------------------------------------------------------------------------------------------

ROUTES = """
local function main(url)
  local direct = assert(http_client.get(url, { route = true }))
  local again = assert(http_client.get(url, { route = true }))
  local proxied = assert(http_client.get(url, { route = true, overlay_network = "app:proxy" }))
  local plain = assert(http_client.get(url, {}))
  local streamed = assert(http_client.get(url, { route = true, stream = true }))
  streamed.stream:close()
  local f = funcs.new():with_options({ network = "app:proxy" })
  say({ direct = direct.route, again = again.route, proxied = proxied.route, plain = plain.route or false,
    streamed = streamed.route, called = f:call("app:fetch", url), beneath = f:call("app:nested", url),
    entry = funcs.call("app:own", url) })
end
"""
FETCH = "local function main(url) return assert(http_client.get(url, { route = true })).route end"
NESTED = 'local function main(url) return funcs.call("app:fetch", url) end'


def test_the_way_of_a_request(lua, overlay, site, microsocks):
    web = site()
    own = {**lua.entry("own", FETCH, "function.lua"), "meta": {"options": {"network": "app:proxy"}}}
    told = lua(ROUTES, f"http://localhost:{web.port}/", overlays=[overlay("proxy", microsocks.port, isolation="process")],
               functions={"fetch": FETCH, "nested": NESTED}, entries=[own]).only
    assert told["plain"] is False

    def way(name):
        return tuple(told[name].get(k) for k in ("overlay", "chosen_by", "isolation", "phase"))
    assert way("direct") == way("again") == ("direct", "direct", "none", "done")
    assert way("proxied") == way("called") == ("app:proxy", "call", "process", "done")
    assert way("beneath") == ("app:proxy", "inherited", "process", "done")
    assert way("entry") == ("app:proxy", "entry", "process", "done")
    assert way("streamed") == ("direct", "direct", "none", "body")
    assert told["direct"]["resolver"] == "system" and not told["direct"]["reused"]
    assert told["proxied"]["resolver"] == "proxy" and told["proxied"]["handshake_ms"] > 0
    assert told["again"]["reused"] and "resolver" not in told["again"] and "dial_ms" not in told["again"]
    for name in ("direct", "proxied", "called", "entry"):
        assert 0 < told[name]["dial_ms"] <= told[name]["total_ms"] and told[name]["first_byte_ms"] > 0


def test_the_way_of_a_failure(lua, overlay, peer, nobody):
    said = lua("""
        local function details(url, options)
          local _, err = http_client.get(url, options)
          return err:details()
        end
        local function main(port)
          say({ unknown = details("http://name.example/", { overlay_network = "app:none" }),
            dead = details("http://name.example/", { overlay_network = "app:dead" }),
            garbage = details("http://name.example/", { overlay_network = "app:garbage" }),
            direct = details("http://127.0.0.1:" .. port .. "/"),
            onion = details("http://name.onion/") })
        end""", nobody, overlays=[overlay("dead", nobody), overlay("garbage", peer(is_no_proxy).port)]).only
    assert said["unknown"] == {"code": "overlay_not_found"}
    shared = {"isolation": "none", "reused": False}
    for name, times in (("dead", {"total_ms"}), ("garbage", {"dial_ms", "total_ms"}), ("direct", {"total_ms"}), ("onion", {"total_ms"})):
        assert {k for k in said[name] if k.endswith("_ms")} == times, said[name]
        assert all(said[name].pop(t) > 0 for t in times), name
    assert said["dead"] == {"code": "connect_refused", "overlay": "app:dead", "chosen_by": "call", "resolver": "proxy", "phase": "dial", **shared}
    assert said["garbage"] == {"code": "socks_bad_version", "overlay": "app:garbage", "chosen_by": "call",
                               "resolver": "proxy", "phase": "handshake", **shared}
    assert said["direct"] == {"code": "connect_refused", "chosen_by": "direct", "resolver": "none", "phase": "dial", **shared}
    assert said["onion"] == {"code": "overlay_only_host", "chosen_by": "direct", "resolver": "none", "phase": "dial", **shared}


KEYS = """
local function main(url)
  local out = {}
  local function way(name, target, network)
    local got, err = http_client.get(target, { route = true, overlay_network = network })
    out[name] = got and got.route or err:details()
  end
  for _, mode in ipairs({ "none", "dial", "process", "host", "name" }) do
    way(mode, url, "app:" .. mode)
    way(mode .. " again", url, "app:" .. mode)
    out[mode .. " elsewhere"] = funcs.call("app:way", url, "app:" .. mode)
    way(mode .. " fails", "http://127.0.0.1:1/", "app:" .. mode)
  end
  say(out)
end
"""
WAY = "local function main(url, network) return assert(http_client.get(url, { route = true, overlay_network = network })).route end"


def test_isolation_keys_tell_who_shares_an_identity(lua, overlay, site, microsocks):
    modes = {"none": {}, "dial": {"isolate_streams": True}, "process": {"isolation": "process"}, "host": {"isolation": "host"}, "name": {"isolation": "shop-7"}}
    told = lua(KEYS, f"http://localhost:{site().port}/", functions={"way": WAY},
               overlays=[overlay(n, microsocks.port, **fields) for n, fields in modes.items()]).only

    def key(name):
        return told[name].get("isolation_key")
    for mode in modes:
        assert {told[mode + n]["isolation"] for n in ("", " again", " elsewhere", " fails")} == {mode}
        assert key(mode) == key(mode + " again") and told[mode + " again"]["reused"]
    assert [key("none" + n) for n in ("", " elsewhere", " fails")] == [None] * 3
    assert [key("name" + n) for n in ("", " elsewhere", " fails")] == ["name:shop-7"] * 3
    assert (key("host"), key("host elsewhere"), key("host fails")) == ("host:localhost", "host:localhost", "host:127.0.0.1")
    for mode in ("dial", "process"):
        assert key(mode) == key(mode + " fails") != key(mode + " elsewhere"), told
    assert key("dial") == key("process")


def test_the_way_of_a_websocket_that_fails(lua, overlay, peer, nobody):
    code = """
        local websocket = require("websocket")
        local function main(port)
          local function details(url)
            local _, err = websocket.connect(url)
            return err:details()
          end
          say({ direct = details("ws://127.0.0.1:" .. port .. "/"), answer = details("ws://127.0.0.1:%d/"),
            dead = funcs.new():with_options({ network = "app:dead" }):call("app:ws", "ws://name.example/"),
            garbage = funcs.new():with_options({ network = "app:garbage" }):call("app:ws", "ws://name.example/") })
        end""" % peer(lambda s: (s.recv(4096), s.sendall(b"HTTP/1.1 200 OK\\r\\n\\r\\n"), s.shutdown(2))).port
    connects = """local websocket = require("websocket")
        local function main(url) local _, err = websocket.connect(url) return err:details() end"""
    told = lua(code, str(nobody), functions={"ws": connects},
               overlays=[overlay("dead", nobody), overlay("garbage", peer(is_no_proxy).port)]).only

    def way(name):
        return tuple(told[name].get(k) for k in ("overlay", "chosen_by", "resolver", "phase"))
    assert way("direct") == (None, "direct", "none", "dial")
    assert way("answer") == (None, "direct", "none", "response")
    assert way("dead") == ("app:dead", "call", "proxy", "dial")
    assert way("garbage") == ("app:garbage", "call", "proxy", "handshake")
    assert told["garbage"]["isolation"] == "none" and 0 < told["garbage"]["dial_ms"] <= told["garbage"]["total_ms"]
    assert "dial_ms" not in told["dead"] and told["dead"]["total_ms"] > 0


# -- states inside the program ---------------------------------------------------------------------------------------------

STATES = """
local events, system, metrics = require("events"), require("system"), require("metrics")
local function main(url)
  local sub = assert(events.subscribe("network"))
  local ch = sub:channel()
  http_client.get(url, { overlay_network = "app:dead" })
  local down = ch:receive()
  http_client.get(url, { overlay_network = "app:live" })
  local ready = ch:receive()
  say({ down = down, ready = ready, states = system.network.states(), live = system.network.state("app:live"),
    missing = tostring(select(2, system.network.state("app:none"))) })
end
"""


def test_states_are_events_and_can_be_asked_for(lua, overlay, site, microsocks, nobody):
    code = STATES.replace('local events, system, metrics = require("events"), require("system"), require("metrics")\n',
                          'local events, system = require("events"), require("system")\n')
    folder = lua.write(code, overlays=[overlay("dead", nobody), overlay("live", microsocks.port)])
    index = json.loads((folder / "src/_index.yaml").read_text())
    for e in index["entries"]:
        if e["name"] == "go":
            e["modules"] = [*e["modules"], "events", "system"]
    (folder / "src/_index.yaml").write_text(json.dumps(index))
    r = lua.wippy.run(folder, "run", "go", "--", f"http://127.0.0.1:{site().port}/")
    assert r.code == 0, repr(r)
    told = json.loads(r.stdout)
    assert told["down"]["system"] == "network" and told["down"]["kind"] == "network.down"
    assert told["down"]["path"] == "app:dead" and "not reached" in told["down"]["data"]["reason"]
    assert told["ready"]["kind"] == "network.ready" and told["ready"]["data"]["since"] > 1600000000000
    assert [s["id"] for s in told["states"]] == ["app:dead", "app:live"]
    assert told["live"]["state"] == "ready" and told["live"]["dials"] == 1
    assert "network not found: app:none" in told["missing"]


def test_states_and_dials_are_metrics(wippy, lua, overlay, nobody, tmp_path):
    code = """local http_client = require("http_client") local http = require("http")
        return { main = function() http_client.get("http://name.example/", { overlay_network = "app:dead" }) http.response():write("asked") end }"""
    entries = [
        overlay("dead", nobody), overlay("idle", nobody),
        {"name": "api", "kind": "http.router", "meta": {"server": "app:web"}, "prefix": "/api"},
        {"name": "ask.http", "kind": "http.endpoint", "meta": {"router": "app:api"}, "method": "GET", "path": "/ask", "func": "app:ask"},
        {"name": "ask", "kind": "function.lua", "method": "main", "modules": ["http", "http_client"], "source": code},
        {"name": "metrics", "kind": "http.router", "meta": {"server": "app:web"}, "prefix": "/metrics", "middleware": ["prometheus"]},
        {"name": "m.http", "kind": "http.endpoint", "meta": {"router": "app:metrics"}, "method": "GET", "path": "/", "func": "app:ask"}]
    with serving(wippy, tmp_path, entries) as web:
        for _ in range(2):
            assert web.get("/api/ask").body == b"asked"
        lines = web.get("/metrics/").body.decode().splitlines()
        assert 'wippy_network_state{network="app:dead",state="down"} 1' in lines
        assert 'wippy_network_state{network="app:dead",state="starting"} 0' in lines
        assert 'wippy_network_state{network="app:idle",state="starting"} 1' in lines
        assert 'wippy_network_dials_total{network="app:dead"} 2' in lines
        assert 'wippy_network_dial_failures_total{network="app:dead"} 2' in lines
