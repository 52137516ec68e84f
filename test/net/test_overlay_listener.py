"""http.service with `network`: what is refused, in which words, and that nothing listens on the host instead."""
import socket

import pytest
from web import free_port, write_project

PROXY = {"name": "proxy", "kind": "network.socks5", "host": "127.0.0.1", "port": 9}
NEVER = {"name": "nothing_else", "kind": "process.host", "lifecycle": {"auto_start": True}}


def server(port, network, **fields):
    return {"name": "web", "kind": "http.service", "addr": f":{port}", "network": network,
            "lifecycle": {"auto_start": True, **fields.pop("lifecycle", {})}, **fields}


def is_open(port):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex(("127.0.0.1", port)) == 0


SOCKS_WORDS = ("overlay listen failed: app:proxy: socks5: operation not supported (inbound listeners are not exposed over "
               "SOCKS5): network: operation not supported by this provider")
POLICIES = [{"name": name, "kind": "security.policy", "policy": {"actions": actions, "resources": "*", "effect": "allow"}}
            for name, actions in (("reads", ["registry.get"]), ("binds", ["network.bind"]))]


def acting(policy):
    return {"security": {"actor": {"id": "service:web"}, "policies": [f"app:{policy}"]}}


@pytest.mark.parametrize("network,fields,words", [
    ("app:proxy", {}, SOCKS_WORDS),
    ("app:none", {}, "overlay network not found: app:none: network: service not found"),
    # A bare name is nobody's.
    ("proxy", {}, "overlay network not found: proxy: network: service not found"),
    ("app:proxy", {"lifecycle": acting("reads")}, "not allowed: bind on network app:proxy"),
    ("app:proxy", {"lifecycle": acting("binds")}, SOCKS_WORDS),
    ("app:proxy", {"tls": {"mode": "auto"}}, "network driver does not support auto TLS: app:proxy"),
], ids=["socks5", "unknown", "bare", "denied", "allowed", "auto"])
def test_refusals(wippy, tmp_path, network, fields, words):
    port = free_port()
    write_project(tmp_path, [server(port, network, **fields), PROXY, NEVER, *POLICIES])
    with wippy.start(tmp_path, "run") as program:
        program.wait_for(words)
        # Of no use to try again.
        program.wait_for("service exited with an error and is not restarted")
        program.wait_for("runtime ready")
        assert not is_open(port)
        program.signal()
        assert program.wait() == 0


def test_auto_tls_needs_a_network(wippy, tmp_path):
    port = free_port()
    write_project(tmp_path, [{"name": "web", "kind": "http.service", "addr": f":{port}", "tls": {"mode": "auto"},
                              "lifecycle": {"auto_start": True}}, NEVER])
    with wippy.start(tmp_path, "run") as program:
        program.wait_for("tls.mode=auto requires an overlay network driver")
        assert not is_open(port)
        program.signal()
        assert program.wait() == 0


def test_network_options_must_be_a_map(wippy, tmp_path):
    write_project(tmp_path, [server(free_port(), "app:proxy", network_options=[1]), PROXY])
    r = wippy.run(tmp_path, "run")
    assert r.code == 1 and "field 'network_options' must be a map" in r.stderr


def test_no_identity_on_the_clear_network(wippy, tmp_path):
    """Headers make nobody somebody: with `required` the clear network is refused."""
    from web import serving
    code = ('local http = require("http") return { main = function() local req, res = http.request(), http.response() '
            'res:write(tostring(req:peer_identity())) end }')
    entries = []
    for name, required in (("open", "false"), ("closed", "true")):
        entries += [
            {"name": name, "kind": "http.router", "meta": {"server": "app:web"}, "prefix": f"/{name}",
             "middleware": ["network_identity"], "options": {"network_identity.required": required}},
            {"name": f"{name}.who", "kind": "http.endpoint", "meta": {"router": f"app:{name}"}, "method": "GET", "path": "/who",
             "func": "app:who"}]
    entries.append({"name": "who", "kind": "function.lua", "method": "main", "modules": ["http"], "source": code})
    with serving(wippy, tmp_path, entries) as web:
        answer = web.get("/open/who", "login: ann", "Tailscale-User-Login: ann")
        assert (answer.status, answer.body) == (200, b"nil")
        answer = web.get("/closed/who", "Tailscale-User-Login: ann")
        assert answer.status == 403 and b"No network vouches for the peer" in answer.body


def test_a_bad_option_of_network_identity(wippy, tmp_path):
    write_project(tmp_path, [
        {"name": "web", "kind": "http.service", "addr": f"127.0.0.1:{free_port()}"},
        {"name": "r", "kind": "http.router", "meta": {"server": "app:web"}, "middleware": ["network_identity"],
         "options": {"network_identity.groups": "app:a, peers"}}])
    r = wippy.run(tmp_path, "run")
    assert r.code == 1 and "needs full ids" in r.stderr and "peers" in r.stderr
