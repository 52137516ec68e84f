"""In a network of its own, watched by tcpdump and a name server that only takes notes: nothing but the proxy is ever sent to."""
import re

import pytest

NAMES = ("known.test", "unknown.test", "refused.test", "hidden.onion", "hidden.i2p", "localhost", "0x0a.0.0.1")


@pytest.fixture
def watched(watched_network, start_rig, tmp_path):
    """The program's side of a link whose other end has a proxy, an HTTP server and an HTTPS server."""
    net = watched_network()
    plain = start_rig("what_is_my_address.py", inside=net.far)
    tls = start_rig("what_is_my_address.py", "--tls", "tls.test", inside=net.far)
    hosts = {"known.test": plain.port, "hidden.onion": plain.port, "hidden.i2p": plain.port, "localhost": plain.port, "tls.test": tls.port}
    net.proxy = start_rig("socks_count.py", "--bind", net.far_ip, "--refuse", "refused.test=2", "--refuse", "192.0.2.1=3",
                          *[w for h, p in hosts.items() for w in ("--host", f"{h}=127.0.0.1:{p}")],
                          log=str(tmp_path / "proxy.jsonl"), inside=net.far)
    return net


def strangers(net, port):
    """Packets on the near side that are neither to nor from the proxy."""
    near, far = re.escape(net.near_ip) + r"\.\d+", re.escape(f"{net.far_ip}.{port}")
    proxys = re.compile(rf"link0 +(Out IP {near} > {far}|In +IP {far} > {near}): tcp")
    packets = net.packets()
    return [p for p in packets if not proxys.match(p)], packets


SELECTIONS = {
    "the request chooses": ('{ timeout = "5s", overlay_network = "app:proxy" }', None),
    "the default": ('{ timeout = "5s" }', "app:proxy"),
}
ASK_ALL = """
local function main()
  for _, host in ipairs({ NAMES }) do
    local got = ask("http://" .. host .. "/", OPTIONS)
    say({ host = host, got = got.status or got.code })
  end
  local options = OPTIONS
  options.tls = { insecure_skip_verify = true }
  say({ host = "tls.test", got = ask("https://tls.test/", options).status })
  say({ host = "192.0.2.1", got = ask("http://192.0.2.1/", OPTIONS).code })
end
"""


def ask_all(options, names=NAMES):
    return ASK_ALL.replace("NAMES", ", ".join(f'"{n}"' for n in names)).replace("OPTIONS", options)


@pytest.mark.parametrize("selection", SELECTIONS)
def test_nothing_but_the_proxy(lua, overlay, watched, selection):
    options, default = SELECTIONS[selection]
    r = lua(ask_all(options), netns=watched.near, overlays=[overlay("proxy", watched.proxy.port, host=watched.far_ip)],
            config={"network_service": {"default_network": default}} if default else None)
    assert {v["host"]: v["got"] for v in r.values} == {
        "known.test": 200, "unknown.test": "socks_host_unreachable", "refused.test": "socks_ruleset", "hidden.onion": 200,
        "hidden.i2p": 200, "localhost": 200, "0x0a.0.0.1": "socks_host_unreachable", "tls.test": 200,
        "192.0.2.1": "socks_network_unreachable"}, r
    others, packets = strangers(watched, watched.proxy.port)
    assert packets and others == []
    assert watched.questions() == []
    assert all(s["atyp"] == ("ipv4" if s["host"] == "192.0.2.1" else "name") for s in watched.proxy.records())


INHERITED = """
local function main()
  local url = "http://known.test/"
  say(funcs.new():with_options({ network = "app:proxy" }):call("app:leaf_f", url))
  local answers = process.listen("answer")
  process.with_options({ network = "app:proxy" }):spawn("app:leaf_p", "app:processes", url, process.pid())
  say(answers:receive())
end
"""
LEAF = 'local function main(url, boss) local got = ask(url) if boss then process.send(boss, "answer", got) end return got end'


def test_an_inherited_overlay_leaks_nothing_either(lua, overlay, watched):
    r = lua(INHERITED, netns=watched.near, overlays=[overlay("proxy", watched.proxy.port, host=watched.far_ip)],
            functions={"leaf_f": LEAF}, processes={"leaf_p": LEAF})
    assert [v.get("status") for v in r.values] == [200, 200], r
    others, packets = strangers(watched, watched.proxy.port)
    assert packets and others == []
    assert watched.questions() == []


@pytest.mark.parametrize("selection", SELECTIONS)
def test_with_the_proxy_stopped_only_its_port_is_knocked_at(lua, overlay, watched, selection):
    watched.proxy.stop()
    options, default = SELECTIONS[selection]
    r = lua(ask_all(options), netns=watched.near, overlays=[overlay("proxy", watched.proxy.port, host=watched.far_ip)],
            config={"network_service": {"default_network": default}} if default else None)
    assert {v.get("got") for v in r.values} == {"connect_refused", None}, r
    others, packets = strangers(watched, watched.proxy.port)
    assert packets and others == []
    assert watched.questions() == []


def test_hidden_names_are_not_asked_for_on_the_clear_network(lua, watched_network):
    net = watched_network()
    r = lua(ask_all('{ timeout = "5s" }', ("hidden.onion", "sub.hidden.ONION.", "hidden.i2p")).replace("192.0.2.1", "hidden.onion")
            .replace("tls.test", "hidden.i2p"), netns=net.near)
    assert {v.get("got") for v in r.values} <= {"overlay_only_host", None}, r
    assert net.packets() == [] and net.questions() == []


def test_a_name_on_the_clear_network_is_asked_for(lua, watched_network):
    """That the trap sees a question at all."""
    net = watched_network()
    r = lua('local function main() say(ask("http://some.name.test/", { timeout = "5s" })) end', netns=net.near)
    assert r.only["code"] == "no_such_host", r
    assert {q["name"] for q in net.questions()} == {"some.name.test"}
