"""network.tor by a Unix SOCKS socket: the same as by its port, over a private Tor network of real tor processes."""
import pytest
from websocket_peer import Server

pytestmark = pytest.mark.slow

# Each asks twice, over the connection it has: a shared circuit would show as a missing stream.
TWO_PROCESSES = """
local function main(url)
  for i = 1, 2 do
    local got, err = process.exec("app:one", "app:processes", url)
    say(got or { error = tostring(err) })
  end
end
"""
TWICE = """
local function main(url)
  local got
  for i = 1, 2 do got = ask(url, { timeout = "60s", overlay_network = "app:tor", route = true }) end
  return got
end
"""
ASK = 'local function main(url) say(ask(url, { timeout = "60s", overlay_network = "app:tor" })) end'


def tor_entry(tor, name="tor", **fields):
    return {"name": name, "kind": "network.tor", "socks_socket": tor.socks_socket, **fields}


def test_two_processes_two_circuits_and_a_name_only_the_exit_knows(lua, tor_network, start_rig):
    server = start_rig("what_is_my_address.py")
    name = tor_network.new_name()
    with tor_network.dns.recording() as asked, tor_network.watching() as streams:
        r = lua(TWO_PROCESSES, f"http://{name}:{server.port}/", timeout=200, processes={"one": TWICE},
                overlays=[tor_entry(tor_network, isolation="process", control_port=tor_network.control)])
    assert [v.get("status") for v in r.values] == [200, 200], r
    # Two of each process's requests are one stream: the second used the kept-alive connection.
    assert [s["target"] for s in streams] == [f"{name}:{server.port}"] * 2
    assert len({s["circuit"] for s in streams}) == 2 and len({s["username"] for s in streams}) == 2, streams
    assert {q["name"] for q in asked} == {name}


def test_https_and_a_big_body(lua, tor_network, start_rig, tmp_path):
    name = tor_network.new_name()
    server = start_rig("what_is_my_address.py", "--tls", name, "--dir", tmp_path)
    code = """
    local function main(base, ca)
      local options = { timeout = "90s", overlay_network = "app:tor", tls = { ca = ca } }
      local first, again = ask(base, options), ask(base, options)
      local big = assert(http_client.get(base .. "bytes/3000000", options))
      say({ first = first, again = again, size = #big.body })
    end"""
    with tor_network.watching() as streams:
        r = lua(code, f"https://{name}:{server.port}/", (tmp_path / "ca.pem").read_text(), timeout=250, overlays=[tor_entry(tor_network)]).only
    assert (r["first"].get("status"), r["again"].get("status"), r["size"]) == (200, 200, 3000000), r
    assert len(streams) == 1, streams


def test_a_websocket(lua, tor_network):
    server = Server()
    try:
        code = """
        local websocket = require("websocket")
        local function main(url)
          local c = assert(websocket.connect(url))
          local ch = c:channel()
          c:send("hello")
          local first = ch:receive().data
          c:send(string.rep("x", 200000))
          say({ first = first, second = #ch:receive().data })
          c:close()
        end"""
        config = {"network_service": {"default_network": "app:tor"}}
        with tor_network.watching() as streams:
            r = lua(code, server.url, timeout=150, overlays=[tor_entry(tor_network)], config=config)
        assert r.only == {"first": "hello", "second": 200000}, r
        assert [s["target"] for s in streams] == [f"127.0.0.1:{server.port}"]
    finally:
        server.stop()


NOBODYS = "http://25njqamcweflpvkl73j4szahhihoc4xt3ktcgjnpaingr5yhkenl5sid.onion/"


def test_onion_errors_are_told_apart(lua, tor_network):
    r = lua(ASK, NOBODYS, timeout=150, overlays=[tor_entry(tor_network)]).only
    assert r["code"] in ("socks_onion_not_found", "socks_onion_bad_address"), r
    assert r["error"].startswith(f'Get "{NOBODYS}": socks connect unix {tor_network.socks_socket}->'), r


def test_nobody_there(lua, wippy, tor_network, tmp_path):
    entry = tor_entry(tor_network)
    entry["socks_socket"] = str(tmp_path / "none")
    r = lua(ASK, "http://name.example/", overlays=[entry]).only
    assert r["code"] == "connect_refused" and "no such file or directory" in r["error"], r
    folder = lua.write(ASK, overlays=[{**entry, "port": 9050}])
    r = wippy.run(folder, "network", "status")
    assert r.code == 1 and "invalid socks_socket: " in r.stderr and "give either it or host and port" in r.stderr, repr(r)


@pytest.mark.parametrize("target", ["name", "onion"])
def test_check(lua, wippy, tor_network, start_rig, target):
    server = start_rig("what_is_my_address.py")
    url = f"http://{tor_network.new_name()}:{server.port}/" if target == "name" else NOBODYS
    folder = lua.write(ASK, overlays=[tor_entry(tor_network, control_port=tor_network.control)])
    r = wippy.run(folder, "network", "check", "app:tor", url, timeout=120)
    assert r.code == (0 if target == "name" else 4), repr(r)
    assert ("status      200" if target == "name" else "failed in   handshake") in r.stdout, repr(r)
