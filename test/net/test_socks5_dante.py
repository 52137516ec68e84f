"""network.socks5 against dante: what works, and three ways to be turned away that a program can tell apart."""
import re
import socket

import pytest

ASK = 'local function main() say(ask("http://{host}:{port}/", {{ timeout = "10s", overlay_network = "app:proxy" }})) end'


def has_ipv6():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        return True
    except OSError:
        return False


def ask(lua, overlay_entry, host, port):
    r = lua(ASK.format(host=host, port=port), overlays=[overlay_entry])
    return r, r.only


def test_no_credentials_asked(lua, overlay, dante, address_server):
    _, got = ask(lua, overlay("proxy", dante.port), "127.0.0.1", address_server.port)
    assert (got["status"], got["ip"]) == (200, "127.0.0.1")


def test_credentials_offered_but_not_wanted(lua, overlay, dante, address_server):
    entry = overlay("proxy", dante.port, username="someone", password="unneeded")
    _, got = ask(lua, entry, "127.0.0.1", address_server.port)
    assert got["status"] == 200


def test_right_credentials(lua, overlay, dante_password, address_server):
    entry = overlay("proxy", dante_password.port, username=dante_password.username, password=dante_password.password)
    _, got = ask(lua, entry, "127.0.0.1", address_server.port)
    assert got["status"] == 200


def test_a_name_is_resolved_by_the_proxy(lua, overlay, dante_password, address_server):
    entry = overlay("proxy", dante_password.port, username=dante_password.username, password=dante_password.password)
    _, got = ask(lua, entry, "localhost", address_server.port)
    assert got["status"] == 200


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 loopback on this machine")
def test_an_ipv6_target(lua, overlay, start_rig):
    server = start_rig("what_is_my_address.py", "--bind", "::1")
    # dante goes out by the address family of its external address.
    proxy = start_rig("socks_dante.py", "--source", "::1")
    _, got = ask(lua, overlay("proxy", proxy.port), "[::1]", server.port)
    assert (got["status"], got["ip"]) == (200, "::1")


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 loopback on this machine")
def test_a_proxy_on_ipv6(lua, overlay, address_server, start_rig):
    proxy = start_rig("socks_count.py", "--bind", "::1")
    for host in ("::1", "[::1]"):
        _, got = ask(lua, overlay("proxy", proxy.port, host=host), "127.0.0.1", address_server.port)
        assert got["status"] == 200


REFUSALS = {
    "wrong password": ("password", "socks_auth_failed", "username/password authentication failed"),
    "no password": ("none", "socks_no_method", "no acceptable authentication methods"),
    "ruleset": ("ruleset", "socks_ruleset", "connection not allowed by ruleset"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refusals_are_told_apart(lua, overlay, dante_password, dante_refusing, address_server, case):
    what, code, words = REFUSALS[case]
    proxy, host = dante_password, "127.0.0.1"
    credentials = {}
    if what == "password":
        credentials = {"username": dante_password.username, "password": "quite-the-wrong-horse"}
    if what == "ruleset":
        proxy, host = dante_refusing, dante_refusing.refused
        credentials = {"username": "whoever-it-is", "password": "quite-the-wrong-horse"}
    r, got = ask(lua, overlay("proxy", proxy.port, **credentials), host, address_server.port)
    assert got["code"] == code, got
    assert words in got["error"], got
    # The error names both ends of the way, and what the program asked for.
    assert f"socks connect tcp 127.0.0.1:{proxy.port}->{host}:{address_server.port}: " in got["error"]
    assert got["error"].startswith(f'Get "http://{host}:{address_server.port}/": ')
    assert (got["kind"], got["retryable"], got["overlay"]) == ("Internal", True, "app:proxy")


def test_credentials_are_never_shown(lua, overlay, wippy, dante_password, address_server):
    entry = overlay("proxy", dante_password.port, username="user-in-secret", password="pass-in-secret")
    folder = lua.write(ASK.format(host="127.0.0.1", port=address_server.port), overlays=[entry])
    shown = []
    for flags in ((), ("-v",), ("-c", "--very-verbose")):
        r = wippy.run(folder, *flags, "run", "go")
        assert "socks_auth_failed" in r.stdout, r
        shown.append(r.stdout + r.stderr)
    broken = lua.write(ASK.format(host="127.0.0.1", port=address_server.port), overlays=[{**entry, "port": 0}])
    r = wippy.run(broken, "-v", "run", "go")
    assert r.code == 1 and "invalid port" in r.stderr, r
    shown.append(r.stdout + r.stderr)
    assert not re.search("in-secret", "".join(shown)), shown


@pytest.mark.parametrize("length", [255, 256])
def test_credentials_as_long_as_the_protocol_allows(lua, overlay, start_rig, address_server, length):
    name, word = "u" * length, "p" * length
    proxy = start_rig("socks_count.py", "--username", name, "--password", word)
    _, got = ask(lua, overlay("proxy", proxy.port, username=name, password=word), "127.0.0.1", address_server.port)
    if length == 255:
        assert got["status"] == 200, got
    else:
        assert got["code"] == "socks_bad_credentials" and "invalid username/password" in got["error"], got
        assert name not in got["error"]
