"""The tls options of http_client and its Unix sockets, on the clear network and through a proxy: the same on both."""
import os
import socket
import ssl
import threading

import pytest

from certificates import Certificates


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


def test_authority_name_and_verification(client, site, certificates):
    ca, other = certificates.text("ca.pem"), certificates.text("other.pem")
    good, named, expired = (site(context=certificates.context(n)) for n in ("server", "named", "expired"))
    cases = [
        (good, {"ca": ca}, 200),
        (good, {"ca": other + ca}, 200),
        (good, None, "x509"),
        (good, {}, "x509"),
        (good, {"unknown": 1}, "x509"),
        (good, {"ca": other}, "x509"),
        (good, {"insecure_skip_verify": True}, 200),
        (good, {"insecure_skip_verify": False, "ca": ca}, 200),
        (named, {"ca": ca}, "x509"),
        (named, {"ca": ca, "server_name": "tls.test"}, 200),
        (named, {"ca": ca, "server_name": "elsewhere.test"}, "x509"),
        (expired, {"ca": ca}, "x509"),
        (expired, {"insecure_skip_verify": True}, 200),
    ]
    got = client([["get", s.url + "/", {"tls": tls} if tls is not None else {}] for s, tls, _ in cases])
    for (_, tls, want), g in zip(cases, got):
        if want == 200:
            assert g.get("status") == 200, (list(tls), g)
        else:
            assert "tls: failed to verify certificate: x509: " in g["error"] and g["code"] == "tls_verify", (tls, g)
            assert (g["kind"], g["retryable"]) == ("Internal", True)


def test_the_server_sees_the_name_that_is_verified(client, site, certificates):
    names = []
    context = certificates.context("named")
    context.sni_callback = lambda sock, name, ctx: names.append(name)
    s = site(context=context)
    client([["get", s.url, {"tls": {"ca": certificates.text("ca.pem"), "server_name": "tls.test"}}],
            ["get", s.url, {"tls": {"insecure_skip_verify": True}}]])
    # An address is not a server name (RFC 6066, section 3).
    assert names == ["tls.test", None]


def test_client_certificates(client, site, certificates):
    s = site(context=certificates.context(client_ca="ca.pem"))
    ca, cert, key = (certificates.text(n) for n in ("ca.pem", "client.pem", "client.key"))
    got = client([["get", s.url, {"tls": {"ca": ca, "cert": cert, "key": key}}], ["get", s.url, {"tls": {"ca": ca}}]])
    assert got[0]["status"] == 200, got
    assert (("commonName", "wippy test client"),) in s.asked[0].client_certificate["subject"]
    assert "error" in got[1] and len(s.asked) == 1, got


def test_a_connection_is_shared_only_under_the_same_options(client, site, certificates):
    s = site(context=certificates.context())
    ca = certificates.text("ca.pem")
    trusting, careful = {"tls": {"insecure_skip_verify": True}}, {"tls": {"ca": ca}}
    got = client([["get", s.url, trusting], ["get", s.url], ["get", s.url, careful], ["get", s.url, {"tls": {"ca": certificates.text("other.pem")}}],
                  ["get", s.url, trusting], ["get", s.url, careful]])
    assert [g.get("status") for g in got] == [200, None, 200, None, 200, 200], got


@pytest.mark.parametrize("tls, words", [
    ({"cert": "x"}, "both cert and key must be provided together"), ({"key": "x"}, "both cert and key must be provided together"),
    ({"cert": "x", "key": "y"}, "parse client certificate: "), ({"ca": "nothing"}, "parse CA certificate: no valid certificates found"),
    ({"ca": ""}, None)])
def test_bad_tls_options(client, site, certificates, tls, words):
    s = site(context=certificates.context())
    (got,) = client([["get", s.url, {"tls": tls}]])
    assert (words or "x509") in got["error"], got
    assert (got["kind"], got["retryable"]) == ("Internal", True) and s.asked == []
    if words:
        assert s.connections == 0


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_old_tls_and_no_tls(client, site, certificates):
    old = certificates.context()
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    plain = site()
    insecure = {"tls": {"insecure_skip_verify": True}}
    too_old, none = client([["get", site(context=old).url, insecure], ["get", plain.url.replace("http:", "https:"), insecure]])
    assert too_old["code"] == "tls_handshake", too_old
    assert "server gave HTTP response to HTTPS client" in none["error"], none


# -- Unix sockets ---------------------------------------------------------------------------------------------------------------

@pytest.fixture
def unix_server(tmp_path):
    path = str(tmp_path / "server.sock")
    asked = []

    def serve():
        while True:
            try:
                s, _ = listener.accept()
            except OSError:
                return
            asked.append(s.recv(65536))
            s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nunix")
            s.close()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        threading.Thread(target=serve, daemon=True).start()
        yield path, asked
        listener.shutdown(socket.SHUT_RDWR)


def test_a_unix_socket_on_the_clear_network(lua, unix_server):
    path, asked = unix_server
    r = lua(f"""
local function main()
  say(ask("http://any.name/x", {{ unix_socket = "{path}" }}))
  say(ask("http://any.name/x", {{ unix_socket = "{path}.gone" }}))
end
""")
    good, gone = r.values
    assert (good.get("body"), asked[0].split(b"\r\n")[0]) == ("unix", b"GET /x HTTP/1.1"), r
    assert "no such file" in gone["error"] and os.path.basename(path) in gone["error"], gone


@pytest.mark.parametrize("options, default", [("overlay_network = 'app:proxy'", None), ("timeout = 5", "app:proxy")])
def test_a_unix_socket_and_an_overlay_exclude_each_other(lua, overlay, counting_proxy, unix_server, options, default):
    path, asked = unix_server
    with counting_proxy.recording() as seen:
        r = lua(f'local function main() say(ask("http://plain.test/", {{ unix_socket = "{path}", {options} }})) end',
                overlays=[overlay("proxy", counting_proxy.port)],
                config={"network_service": {"default_network": default}} if default else None)
    assert (r.only["kind"], "app:proxy" in r.only["error"], "unix_socket" in r.only["error"]) == ("Invalid", True, True), r
    assert asked == [] and seen == []
