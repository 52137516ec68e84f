"""Through a private Tor network of real tor processes: circuits, names and refusals as Tor itself reports them."""
import base64
import hashlib
import re

import pytest

pytestmark = pytest.mark.slow

# Each asks once, and closes nothing: a shared connection would show as a missing stream.
TWO_PROCESSES = """
local function main(url)
  for i = 1, 2 do
    local got, err = process.exec("app:one", "app:processes", url)
    say(got or { error = tostring(err) })
  end
end
"""
ONE = 'local function main(url) return ask(url, { timeout = "60s", overlay_network = "app:tor" }) end'
SEVERAL_URLS = """
local function main(...)
  for _, url in ipairs({ ... }) do
    say(ask(url, { timeout = "60s", overlay_network = "app:tor" }))
  end
end
"""


@pytest.fixture
def server(start_rig):
    return start_rig("what_is_my_address.py")


def tor_entry(overlay, tor, **fields):
    return overlay("tor", tor.socks, **{"isolate_streams": True, **fields})


def test_two_processes_two_circuits_and_a_name_only_the_exit_knows(lua, overlay, tor_network, server):
    name = tor_network.new_name()
    url = f"http://{name}:{server.port}/"
    with tor_network.dns.recording() as asked, tor_network.watching() as streams:
        r = lua(TWO_PROCESSES, url, timeout=150, overlays=[tor_entry(overlay, tor_network)], processes={"one": ONE})
    assert [v.get("status") for v in r.values] == [200, 200], r
    assert [s["target"] for s in streams] == [f"{name}:{server.port}"] * 2
    assert len({s["circuit"] for s in streams}) == 2, streams
    assert len({s["username"] for s in streams}) == 2 and all(re.fullmatch("[0-9a-f]{16}", s["username"]) for s in streams), streams
    # Somebody asked for the name, and it was the exit: nobody else knows that name server.
    assert {q["name"] for q in asked} == {name}


def test_two_hosts_of_one_process_two_circuits(lua, overlay, tor_network, server):
    name = tor_network.new_name()
    urls = [f"http://{host}:{server.port}/" for host in (name, "127.0.0.1", name)]
    with tor_network.watching() as streams:
        r = lua(SEVERAL_URLS, *urls, timeout=200, overlays=[tor_entry(overlay, tor_network)])
    assert [v.get("status") for v in r.values] == [200] * 3, r
    # The third request goes over the first one's connection.
    assert [s["target"] for s in streams] == [f"{name}:{server.port}", f"127.0.0.1:{server.port}"]
    assert len({s["circuit"] for s in streams}) == 2, streams


@pytest.mark.parametrize("isolated", [True, False])
def test_distinct_circuits_are_the_credentials_doing(lua, overlay, tor_network, server, isolated):
    entry = tor_entry(overlay, tor_network, isolate_streams=isolated, username="same", password="same")
    for _ in range(3):  # Tor may give up a circuit on the way; that is its business, not what is asked here
        urls = [f"http://{tor_network.new_name()}:{server.port}/close"] * 6
        with tor_network.watching() as streams:
            r = lua(SEVERAL_URLS, *urls, timeout=200, overlays=[entry])
        if [v.get("status") for v in r.values] == [200] * 6 and len(streams) == 6:
            break
    assert [v.get("status") for v in r.values] == [200] * 6, r
    assert len(streams) == 6
    circuits = len({s["circuit"] for s in streams})
    # Without isolation Tor is free to use another circuit now and then, but not each time.
    assert circuits == 6 if isolated else circuits <= 3, streams


def onion_address(public_key):
    """The address of an onion service, version 3 (rend-spec-v3, section 6)."""
    checksum = hashlib.sha3_256(b".onion checksum" + public_key + b"\x03").digest()[:2]
    return base64.b32encode(public_key + checksum + b"\x03").decode().lower() + ".onion"


# A valid key (RFC 8032, section 7.1, test 1) whose service nobody runs.
NOBODYS = onion_address(bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"))


def test_unknown_onion_services_have_errors_of_their_own(lua, overlay, tor_network):
    wrong_checksum = NOBODYS[:-12] + ("a" if NOBODYS[-12] != "a" else "b") + NOBODYS[-11:]
    r = lua(SEVERAL_URLS, f"http://{wrong_checksum}/", f"http://{NOBODYS}/", timeout=200, overlays=[tor_entry(overlay, tor_network)])
    bad, absent = r.values
    assert (bad["code"], "0xF6" in bad["error"]) == ("socks_onion_bad_address", True), bad
    assert (absent["code"], "0xF0" in absent["error"]) == ("socks_onion_not_found", True), absent


def test_a_name_that_nobody_knows(lua, overlay, tor_network):
    r = lua(SEVERAL_URLS, "http://nobody.knows.test/", timeout=150, overlays=[tor_entry(overlay, tor_network)])
    assert r.only["code"] in ("socks_host_unreachable", "socks_general_failure"), r


def test_nothing_local_is_asked_for_names(lua, overlay, tor_network, watched_network, server):
    """With Tor out of reach in a watched namespace: not one packet leaves, not one question is asked."""
    net = watched_network()
    r = lua(SEVERAL_URLS, f"http://{tor_network.new_name()}:{server.port}/", netns=net.near, overlays=[tor_entry(overlay, tor_network)])
    assert r.only["code"] == "connect_refused", r
    assert net.questions() == []
    assert all(f"127.0.0.1.{tor_network.socks}" in p for p in net.packets())
