"""What a policy lets http_client do: the order of the checks, private addresses, redirects, names that change their minds."""
import contextlib
import json
import subprocess
import sys

import pytest

MODULES = ["io", "json", "http_client", "funcs", "time", "security"]
MAIN = "local function main(calls) say(funcs.call('app:guarded', calls)) end"
GUARDED = """
local security = require("security")
local function main(calls)
  local scope = security.new_scope({ security.policy("app:everything"), security.policy("app:denied") })
  return funcs.new():with_actor(security.new_actor("user:1")):with_scope(scope):call("app:attempt", calls)
end
"""
ATTEMPT = """
local function main(calls)
  local out = {}
  for i, q in ipairs(json.decode(calls)) do
    out[i] = told(http_client[q[1]](q[2], q[3], q[4]))
  end
  return out
end
"""


def policy(name, actions, resources, effect):
    return {"name": name, "kind": "security.policy", "policy": {"actions": actions, "resources": resources, "effect": effect}}


@pytest.fixture
def guarded(lua):
    """guarded(calls, actions, resources): the calls one after the other, of an actor who may do everything but those."""
    def run(calls, actions, resources="*", main=MAIN, **kw):
        entries = [policy("everything", "*", "*", "allow"), policy("denied", actions, resources, "deny"),
                   lua.entry("guarded", GUARDED, "function.lua", modules=MODULES)]
        return lua(main, json.dumps(calls), entries=entries, functions={"attempt": ATTEMPT}, **kw).values[-1]
    return run


def is_denied(got, words):
    return (got.get("kind"), got.get("retryable"), got.get("error")) == ("PermissionDenied", False, words)


# -- the order ---------------------------------------------------------------------------------------------------------------

URL = "https://user:hunter2@127.0.0.1:1/x?q=1"
SHOWN = "https://user:***@127.0.0.1:1/x?q=1"
ORDER = [
    ("http_client.unix_socket", "not allowed: unix socket /nowhere.sock"),
    ("http_client.insecure_tls", "not allowed: insecure TLS for " + SHOWN),
    ("network.select", "not allowed: network app:proxy"),
    ("http_client.request", "not allowed: " + SHOWN),
    ("http_client.private_ip", "not allowed: private IP 127.0.0.1"),
]


@pytest.mark.parametrize("first", range(5))
def test_the_first_check_that_fails_is_told(guarded, overlay, nobody, first):
    """Of a request that everything is wrong with, and of a batch, where its URL comes before the rest."""
    options = {"unix_socket": "/nowhere.sock", "overlay_network": "app:proxy", "tls": {"insecure_skip_verify": True}}
    if first == 4:  # the address does not matter to a Unix socket
        del options["unix_socket"]
    (got,) = guarded([["get", URL, options]], [a for a, _ in ORDER[first:]], overlays=[overlay("proxy", nobody)])
    assert is_denied(got, ORDER[first][1]), got


def test_a_batch_judges_every_url_before_anything_else(guarded, overlay, nobody, site):
    s = site()
    bad = ["GET", URL, {"tls": {"insecure_skip_verify": True}, "overlay_network": "app:proxy"}]
    (got,) = guarded([["request_batch", [["GET", s.url], bad, ["GET", s.url + "/secret"]]]],
                     ["http_client.insecure_tls", "network.select", "http_client.request"],
                     [URL, "app:proxy", s.url + "/secret"], overlays=[overlay("proxy", nobody)])
    assert is_denied(got, "not allowed: " + SHOWN), got
    assert s.asked == []
    (got,) = guarded([["request_batch", [["GET", s.url], bad, ["GET", s.url + "/secret"]]]], ["network.select", "http_client.request"],
                     ["app:proxy", s.url + "/secret"], overlays=[overlay("proxy", nobody)])
    assert is_denied(got, f"not allowed: {s.url}/secret"), got
    assert s.asked == []


def test_the_query_of_the_options_is_not_judged(guarded, site):
    """The URL as the program gave it decides."""
    s = site()
    (got,) = guarded([["get", s.url + "/p", {"query": {"q": "1"}}]], "http_client.request", s.url + "/p?q=1")
    assert got["status"] == 200 and s.asked[0].path == "/p?q=1"


# -- private addresses ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("host, ip", [
    ("127.0.0.1", "127.0.0.1"), ("[::1]", "::1"), ("10.0.0.1", "10.0.0.1"), ("172.16.0.1", "172.16.0.1"),
    ("172.31.255.255", "172.31.255.255"), ("192.168.1.1", "192.168.1.1"), ("[fd00::1]", "fd00::1"), ("169.254.1.1", "169.254.1.1"),
    ("[fe80::1]", "fe80::1"), ("224.0.0.1", "224.0.0.1"), ("0.0.0.0", "0.0.0.0"), ("[::]", "::"), ("[::ffff:10.0.0.1]", None),
    ("[::ffff:7f00:1]", None)])
@pytest.mark.parametrize("network", ["direct", "app:proxy"])
def test_private_literals(guarded, overlay, nobody, host, ip, network):
    (got,) = guarded([["get", f"http://{host}:1/", {"overlay_network": network}]], "http_client.private_ip",
                     overlays=[overlay("proxy", nobody)])
    assert got["kind"] == "PermissionDenied" and "not allowed: private IP " + (ip or "") in got["error"], got


@pytest.mark.parametrize("host", ["100.64.0.1", "172.32.0.1", "239.1.1.1", "192.0.2.1", "[2001:db8::1]"])
def test_other_literals_are_not_private(guarded, overlay, nobody, host):
    """Through an overlay whose endpoint is away, so that nothing is sent anywhere."""
    (got,) = guarded([["get", f"http://{host}:1/", {"overlay_network": "app:proxy"}]], "http_client.private_ip",
                     overlays=[overlay("proxy", nobody)])
    assert got["code"] == "connect_refused", got


@pytest.mark.parametrize("host", ["localhost", "0x7f.1", "0x7f000001", "2130706433", "0177.0.0.1", "127.1", "LOCALHOST.", "127.0.0.1."])
def test_names_and_odd_spellings_of_private_addresses(guarded, site, host):
    """What they stand for is judged; a spelling that is not understood is no way around."""
    s = site()
    (got,) = guarded([["get", f"http://{host}:{s.port}/", {"timeout": "5s"}]], "http_client.private_ip")
    assert got.get("status") is None and s.connections == 0, got
    assert got["kind"] == "PermissionDenied" or got["code"] in ("no_such_host", "lookup_failed", "bad_target", "bad_url"), got
    if host == "localhost":
        assert "not allowed: private IP " in got["error"]


def test_names_through_an_overlay_are_the_business_of_its_far_side(guarded, overlay, counting_proxy):
    (got,) = guarded([["get", "http://plain.test/", {"overlay_network": "app:proxy"}]], "http_client.private_ip",
                     overlays=[overlay("proxy", counting_proxy.port)])
    assert (got.get("status"), got.get("ip")) == (200, "127.0.0.2"), got


def test_a_kept_alive_connection_is_judged_for_each_caller(guarded, site):
    s = site()
    main = f"local function main(calls) say(ask('{s.url}/')) say(funcs.call('app:guarded', calls)) end"
    (got,) = guarded([["get", f"http://localhost:{s.port}/"]], "http_client.private_ip", main=main.replace("127.0.0.1", "localhost"),
                     config={"supervisor": {"host": {"worker_count": 1}}})
    assert got["kind"] == "PermissionDenied" and "not allowed: private IP " in got["error"], got
    assert len(s.asked) == 1


# -- redirects ------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("network, words", [("direct", "not allowed: private IP 127.0.0.2"),
                                            ("app:proxy", "not allowed: private IP 127.0.0.2 via overlay network")])
def test_a_redirect_to_a_private_address(guarded, overlay, counting_proxy, site, network, words):
    s = site({"/": (302, {"Location": "http://127.0.0.2:1/"}, b"")})
    (got,) = guarded([["get", s.url + "/", {"overlay_network": network}]], "http_client.private_ip", "127.0.0.2",
                     overlays=[overlay("proxy", counting_proxy.port)])
    assert is_denied(got, words), got
    assert len(s.asked) == 1


def test_a_redirect_to_a_url_that_is_not_allowed(guarded, site):
    """Its password is not told."""
    s = site()
    target = s.url.replace("://", "://user:hunter2@") + "/secret"
    s.routes["/"] = (307, {"Location": target}, b"")
    (got,) = guarded([["get", s.url + "/"]], "http_client.request", target)
    assert is_denied(got, "not allowed: " + s.url.replace("://", "://user:***@") + "/secret"), got
    assert [a.path for a in s.asked] == ["/"]


# -- names that change their minds ----------------------------------------------------------------------------------------------------

FAR_IP = "10.203.0.1"  # of every watched network


@pytest.fixture
def rebinding(watched_network, start_rig):
    """A name that is the far side now and the near side's own loopback the next time; servers wait on the same port of both."""
    def make(answers):
        net = watched_network(answers=["rebind.test=" + answers.replace("FAR", FAR_IP)])
        net.public = start_rig("what_is_my_address.py", "--bind", net.far_ip, inside=net.far)
        net.inner = start_rig("what_is_my_address.py", "--bind", "127.0.0.1", "--port", net.public.port, inside=net.near)
        return net
    return make


def test_a_name_that_rebinds_is_judged_by_what_is_connected_to(guarded, rebinding):
    net = rebinding("FAR,127.0.0.1")
    url = f"http://rebind.test:{net.public.port}/close"
    got = guarded([["get", url]] * 6, "http_client.private_ip", "127.0.0.1", netns=net.near)
    assert [g.get("ip") or g.get("error") for g in got] == [net.near_ip, "not allowed: private IP 127.0.0.1"] * 3, got
    # Looked up once for each request: there is no second answer to connect to.
    assert [q["type"] for q in net.questions()].count(1) == 6
    assert not [p for p in net.packets() if f"> 127.0.0.1.{net.public.port}" in p]


@pytest.mark.parametrize("answers", ["FAR+127.0.0.1", "127.0.0.1+FAR"])
def test_one_private_address_among_several_is_enough(guarded, rebinding, answers):
    net = rebinding(answers)
    (got,) = guarded([["get", f"http://rebind.test:{net.public.port}/"]], "http_client.private_ip", "127.0.0.1", netns=net.near)
    assert is_denied(got, "not allowed: private IP 127.0.0.1"), got
    assert not [p for p in net.packets() if f".{net.public.port}" in p]


REDIRECTOR = """
import socket, sys
listener = socket.create_server((sys.argv[1], 0))
print(listener.getsockname()[1], flush=True)
s, _ = listener.accept()
s.recv(65536)
s.sendall(b"HTTP/1.1 302 Found\\r\\nLocation: " + sys.argv[2].encode() + b"\\r\\nContent-Length: 0\\r\\n\\r\\n")
s.recv(65536)
"""


@contextlib.contextmanager
def redirector(net, to):
    """Answers one request on the far side; gives its port."""
    p = subprocess.Popen(["ip", "netns", "exec", net.far, sys.executable, "-c", REDIRECTOR, net.far_ip, to], stdout=subprocess.PIPE)
    try:
        yield int(p.stdout.readline())
    finally:
        p.kill()
        p.wait()
        p.stdout.close()


def test_a_redirect_to_a_name_that_is_private(guarded, rebinding):
    net = rebinding("127.0.0.1")
    with redirector(net, f"http://rebind.test:{net.public.port}/") as port:
        (got,) = guarded([["get", f"http://{net.far_ip}:{port}/"]], "http_client.private_ip", "127.0.0.1", netns=net.near)
    assert is_denied(got, "not allowed: private IP 127.0.0.1"), got
    assert not [p for p in net.packets() if f"> 127.0.0.1.{net.public.port}" in p]
