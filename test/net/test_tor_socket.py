"""network.tor by a Unix SOCKS socket: the same as by its port, over a private Tor network of real tor processes."""
import socket
import threading

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


class Proxy:
    """A SOCKS5 server on a Unix socket that is the web server behind it, too: "/<id>" answers "<id>", "/close/<id>" closes after it, "/mute/<id>" says nothing."""

    def __init__(self, path):
        self.path, self.connections, self.lock = path, 0, threading.Lock()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(512)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.connections += 1
            threading.Thread(target=self.serve, args=(s,), daemon=True).start()

    def serve(self, s):
        try:
            with s, s.makefile("rwb") as f:
                f.read(f.read(2)[1])
                f.write(b"\5\0")
                f.flush()
                head = f.read(5)
                f.read(head[4] + 2 if head[3] == 3 else 5)
                f.write(b"\5\0\0\1" + bytes(6))
                f.flush()
                while self.answer(f):
                    pass
        except (OSError, IndexError):
            pass  # gone in the middle: given up

    @staticmethod
    def answer(f):
        line = f.readline()
        if not line:
            return False
        path = line.split()[1].decode()
        while f.readline().strip():
            pass
        if path.startswith("/mute"):
            f.read(1)
            return False
        closes, body = path.startswith("/close"), path.rsplit("/", 1)[1].encode()
        f.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s" % (len(body), b"Connection: close\r\n" if closes else b"", body))
        f.flush()
        return not closes


@pytest.mark.parametrize("at_once", [1, 8, 32, 64])
def test_many_at_once_over_few_places(lua, tmp_path, slower, at_once):
    """2,000 requests, a part of them closed by the server or given up: each gets its own answer, none waits, and the connections are used again."""
    proxy = Proxy(str(tmp_path / "socks"))
    code = """
    local function main(at_once)
      local next_id, right, given_up, first = 0, 0, 0, nil
      local over = channel.new(64)
      local began = time.now()
      for _ = 1, tonumber(at_once) do
        coroutine.spawn(function()
          while next_id < 2000 do
            next_id = next_id + 1
            local id = tostring(next_id)
            local way = next_id % 10 == 0 and "close/" or next_id % 50 == 1 and "mute/" or ""
            local r, err = http_client.get("http://name.example/" .. way .. id, { overlay_network = "app:tor", timeout = way == "mute/" and "20ms" or "60s" })
            if r and r.body == id then right = right + 1
            elseif way == "mute/" and not r then given_up = given_up + 1
            else first = first or id .. ": " .. (r and r.body or tostring(err)) end
          end
          over:send(true)
        end)
      end
      for _ = 1, tonumber(at_once) do over:receive() end
      say({ right = right, given_up = given_up, first = first, seconds = time.now():sub(began):seconds() })
    end"""
    config = {"dispatcher": {"http": {"max_idle_per_host": 4}}}
    entry = {"name": "tor", "kind": "network.tor", "socks_socket": proxy.path}
    r = lua(code, str(at_once), overlays=[entry], config=config, timeout=120).only
    proxy.listener.close()
    seconds = r.pop("seconds")
    assert r == {"right": 1960, "given_up": 40}, r
    assert seconds < 20 * slower
    assert proxy.connections < (300 if at_once == 1 else 1900)


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
