"""The counterparts do what the other tests rely on, asked by a client that shares no code with the program."""
import json
import socket
import ssl
import subprocess
import sys

import pytest


def read_exactly(s, n):
    data = b""
    while len(data) < n:
        more = s.recv(n - len(data))
        if not more:
            raise EOFError(data)
        data += more
    return data


class Refused(Exception):
    pass


def through(proxy_port, host, port, credentials=None, address="127.0.0.1"):
    """A connected socket through a SOCKS5 proxy; Refused(step, code) when it says no."""
    s = socket.create_connection((address, proxy_port), timeout=30)
    s.sendall(b"\x05\x01\x02" if credentials else b"\x05\x01\x00")
    method = read_exactly(s, 2)[1]
    if method == 0xFF:
        raise Refused("method", method)
    if method == 2:
        user, password = (c.encode() for c in credentials)
        s.sendall(bytes([1, len(user)]) + user + bytes([len(password)]) + password)
        if read_exactly(s, 2)[1] != 0:
            raise Refused("credentials", 1)
    s.sendall(b"\x05\x01\x00\x03" + bytes([len(host)]) + host.encode() + port.to_bytes(2, "big"))
    head = read_exactly(s, 4)
    if head[1] != 0:
        raise Refused("reply", head[1])
    read_exactly(s, 2 + {1: 4, 4: 16}[head[3]])
    return s


def ask(s, path="/close", host="x"):
    s.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    data = b""
    while more := s.recv(65536):
        data += more
    s.close()
    return json.loads(data.split(b"\r\n\r\n", 1)[1])


def test_the_address_server_tells_the_peer(address_server):
    assert ask(socket.create_connection(("127.0.0.1", address_server.port)))["ip"] == "127.0.0.1"


def test_the_counting_proxy_has_another_address_and_a_record(counting_proxy):
    with counting_proxy.recording() as seen:
        s = through(counting_proxy.port, "plain.test", 80, ("alice", "secret"))
        client = "%s:%d" % s.getsockname()
        assert ask(s)["ip"] == "127.0.0.2"
    assert seen == [{"username": "alice", "password": "secret", "atyp": "name", "host": "plain.test", "port": 80,
                     "client": client, "reply": 0}]


@pytest.mark.parametrize("host, code", [("no.test", 2), ("unknown.test", 4)])
def test_the_counting_proxy_refuses(counting_proxy, host, code):
    with counting_proxy.recording() as seen, pytest.raises(Refused) as e:
        through(counting_proxy.port, host, 80)
    assert e.value.args == ("reply", code)
    assert [r["reply"] for r in seen] == [code]


def test_tls_names_are_right(counting_proxy, tls_address_server):
    context = ssl.create_default_context(cafile=tls_address_server.ca)
    s = context.wrap_socket(through(counting_proxy.port, "api.ipify.org", 443), server_hostname="api.ipify.org")
    assert ask(s)["ip"] == "127.0.0.2"


def test_dante_without_credentials(dante, address_server):
    assert ask(through(dante.port, "127.0.0.1", address_server.port))["ip"] == "127.0.0.1"


def test_dante_checks_credentials(dante_password, address_server):
    good = (dante_password.username, dante_password.password)
    assert ask(through(dante_password.port, "127.0.0.1", address_server.port, good))["ip"] == "127.0.0.1"
    with pytest.raises(Refused) as e:
        through(dante_password.port, "127.0.0.1", address_server.port, (good[0], "wrong"))
    assert e.value.args == ("credentials", 1)
    with pytest.raises(Refused) as e:
        through(dante_password.port, "127.0.0.1", address_server.port)
    assert e.value.args == ("method", 0xFF)


def test_dantes_ruleset_refuses(dante_refusing, address_server):
    assert ask(through(dante_refusing.port, "127.0.0.1", address_server.port))["ip"] == "127.0.0.1"
    with pytest.raises(Refused) as e:
        through(dante_refusing.port, dante_refusing.refused, address_server.port)
    assert e.value.args == ("reply", 2)


def test_microsocks(microsocks, address_server):
    assert ask(through(microsocks.port, "127.0.0.1", address_server.port))["ip"] == "127.0.0.1"


def test_a_rig_ends_with_its_starter(start_rig):
    r = start_rig("what_is_my_address.py")
    r.stop()
    assert r.proc.returncode == 0
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", r.port), timeout=5)


def test_the_watched_network_sees_everything(watched_network):
    net = watched_network(host=["known.test=10.203.0.1"])
    code = ("import socket\n"
            "def attempt(host, port):\n"
            "    try: socket.create_connection((host, port), timeout=0.5)\n"
            "    except OSError: pass\n"
            "attempt('unknown.test', 80); attempt('known.test', 81); attempt('192.0.2.7', 82)\n")
    subprocess.run(["ip", "netns", "exec", net.near, sys.executable, "-c", code], check=True)
    packets = net.packets()
    assert any("> 10.203.0.1.81:" in p for p in packets), packets
    assert any("> 192.0.2.7.82:" in p for p in packets), packets
    assert {q["name"] for q in net.questions()} == {"unknown.test"}


def test_quiet_means_no_packet(watched_network):
    net = watched_network()
    assert net.packets() == []
    assert net.questions() == []


@pytest.mark.slow
def test_tor_isolates_by_credentials_and_resolves_at_the_exit(tor_network, start_rig):
    server = start_rig("what_is_my_address.py")
    kept = False
    # Tor may give a circuit up between two streams, so that equal credentials get a new one now and then; different ones never share.
    for _ in range(3):
        name = tor_network.new_name()
        with tor_network.dns.recording() as asked, tor_network.watching() as streams:
            for credentials in (("a", "1"), ("b", "2"), ("a", "1")):
                assert ask(through(tor_network.socks, name, server.port, credentials))["ip"] == "127.0.0.1"
        assert [s["target"] for s in streams] == [f"{name}:{server.port}"] * 3
        one, two, three = (s["circuit"] for s in streams)
        assert two not in (one, three)
        assert {q["name"] for q in asked} == {name}
        kept = kept or one == three
    assert kept
