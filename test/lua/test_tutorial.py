"""The tutorial's project, as it stands: two commands, and the request leaves through the overlay or not at all."""
import re
import shutil

import pytest

LOCK = "directories:\n    modules: .wippy\n    src: ./src\n"


@pytest.fixture
def netdemo(examples, tmp_path):
    """examples/netdemo before its first command: the folder a reader of the tutorial has typed in."""
    folder = tmp_path / "netdemo"
    shutil.copytree(examples / "netdemo", folder)
    (folder / "wippy.lock").unlink()
    return folder


@pytest.fixture
def internet(watched_network, tls_address_server, start_rig):
    """A namespace where https://api.ipify.org is a server of ours on the loopback, with a certificate that is trusted there."""
    net = watched_network(host=["api.ipify.org=127.0.0.1"], ca=tls_address_server.ca)
    start_rig("what_is_my_address.py", "--port", 443, "--dir", tls_address_server.dir, "--tls", "api.ipify.org", inside=net.near)
    return net


def clients_of(packets, address):
    """Who sent anything to `address` (tcpdump's text form), as a set."""
    return {m.group(1) for p in packets for m in [re.search(rf"IP (\S+) > {re.escape(address)}:", p)] if m}


def test_init_writes_the_lock_file(wippy, netdemo, examples):
    assert wippy.run(netdemo, "init").code == 0
    assert (netdemo / "wippy.lock").read_text() == LOCK
    assert (examples / "netdemo" / "wippy.lock").read_text() == LOCK


def test_two_addresses(wippy, netdemo, internet, start_rig, tmp_path):
    log = str(tmp_path / "proxy.jsonl")
    proxy = start_rig("socks_count.py", "--port", 9050, "--source", "127.0.0.2", "--host", "api.ipify.org=127.0.0.1:443", log=log,
                      inside=internet.near)
    assert wippy.run(netdemo, "init", netns=internet.near).code == 0
    r = wippy.run(netdemo, "run", "probe", netns=internet.near)
    assert (r.code, r.stdout) == (0, "direct IP: 127.0.0.1\ntor IP: 127.0.0.2\n"), r
    (asked,) = proxy.records()
    # The name went to the proxy unresolved, with credentials of its own.
    assert (asked["atyp"], asked["host"], asked["port"]) == ("name", "api.ipify.org", 443)
    assert asked["username"] and asked["password"]


def test_no_proxy_means_no_request(wippy, netdemo, internet):
    assert wippy.run(netdemo, "init", netns=internet.near).code == 0
    r = wippy.run(netdemo, "run", "probe", netns=internet.near)
    assert r.code == 0, r
    direct, routed = r.stdout.splitlines()
    assert direct == "direct IP: 127.0.0.1"
    assert routed.startswith("tor failed: ")
    assert "127.0.0.1:9050" in routed and "connection refused" in routed
    packets = internet.packets()
    assert len(clients_of(packets, "127.0.0.1.443")) == 1, packets  # the direct request, and no other
    assert len(clients_of(packets, "127.0.0.1.9050")) >= 1, packets


WATCHED_INDEX = """\
version: "1.0"
namespace: app
entries:
  - name: terminal
    kind: terminal.host
    lifecycle:
      auto_start: true
  - name: proxy
    kind: network.socks5
    host: {host}
    port: {port}
  - name: ask
    kind: process.lua
    meta:
      command:
        name: ask
    source: file://ask.lua
    method: main
    modules: [io, http_client]
"""
WATCHED_LUA = """\
local io = require("io")
local http_client = require("http_client")

local function main()
  for _, url in ipairs({ "http://known.test/", "http://unknown.test/", "http://hidden.onion/", "http://192.0.2.1/" }) do
    local resp, err = http_client.get(url, { timeout = "5s", overlay_network = "app:proxy" })
    io.print(url .. " " .. (err and "failed" or tostring(resp.status_code)))
  end
  return 0
end

return { main = main }
"""


@pytest.mark.parametrize("chosen_by", ["call", "default"])
def test_nothing_but_the_proxy_is_ever_sent_to(wippy, project, watched_network, start_rig, chosen_by):
    net = watched_network()
    server = start_rig("what_is_my_address.py", inside=net.far)
    proxy = start_rig("socks_count.py", "--bind", net.far_ip, "--host", f"known.test=127.0.0.1:{server.port}", "--host",
                      f"hidden.onion=127.0.0.1:{server.port}", "--refuse", "192.0.2.1=3", inside=net.far)
    lua, config = WATCHED_LUA, None
    if chosen_by == "default":
        lua = lua.replace(', overlay_network = "app:proxy"', "")
        config = 'version: "1.0"\nnetwork_service:\n  default_network: app:proxy\n'
    folder = project({"src/_index.yaml": WATCHED_INDEX.format(host=net.far_ip, port=proxy.port), "src/ask.lua": lua,
                      ".wippy.yaml": config})
    r = wippy.run(folder, "run", "ask", netns=net.near)
    assert r.stdout == ("http://known.test/ 200\nhttp://unknown.test/ failed\nhttp://hidden.onion/ 200\n"
                        "http://192.0.2.1/ failed\n"), r
    ends = (re.escape(net.near_ip) + r"\.\d+", re.escape(f"{net.far_ip}.{proxy.port}"))
    allowed = re.compile(rf"link0 +(Out IP {ends[0]} > {ends[1]}|In +IP {ends[1]} > {ends[0]}): tcp")
    packets = net.packets()
    assert packets and all(allowed.match(p) for p in packets), packets
    assert net.questions() == []
