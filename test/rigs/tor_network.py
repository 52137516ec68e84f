#!/usr/bin/env python3
"""A complete private Tor network on 127.0.0.1: real tor processes, no internet.

Three directory authorities that are also relays and exits, one more relay, and two clients whose SOCKS ports behave as any Tor
client's do (stream isolation, onion services, extended errors, control port). The first asks for nothing on its control port; the
second, for who offers onion services, wants its cookie or a password, and has a control socket, too. Both have their SOCKS port on a
Unix socket as well. Needs Debian's `tor` package (tor and tor-gencert).

    tor_network.py [--socks PORT] [--control PORT] [--nameserver ADDRESS:PORT] [--timeout 180]

Prints one JSON line when the client can build circuits:
    {"socks": 40123, "socks_socket": "/tmp/...", "control": 40124, "seconds": 31.2, "dir": "/tmp/...",
     "second": {"socks": 40125, "socks_socket": "/tmp/...", "control": 40126, "cookie": "/tmp/...", "password": "...",
                "socket": "/tmp/..."}}
and runs until its standard input closes. Lines on it: "kill second", "start second", "stop second" and "go second" (the process is
halted, and goes on); each is answered with {"done": "..."}. The exits look names up at --nameserver (nobody else does). They go out from
127.0.0.1 only, from where nothing but this machine can be reached. (An exit policy that says so would keep clients from choosing
them: it counts as rejecting everything.)
"""
import argparse
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import rig

COMMON = """
TestingTorNetwork 1
DataDirectory {dir}
Nickname {nick}
Log notice file {dir}/log
RunAsDaemon 0
ShutdownWaitLength 0
AssumeReachable 1
PathsNeededToBuildCircuits 0.25
TestingDirAuthVoteExit *
TestingDirAuthVoteHSDir *
TestingDirAuthVoteGuard *
TestingMinExitFlagThreshold 0
V3AuthNIntervalsValid 2
ClientDNSRejectInternalAddresses 0
ClientRejectInternalAddresses 0
EnforceDistinctSubnets 0
DisableDebuggerAttachment 0
"""
RELAY = """
SocksPort 0
OrPort 127.0.0.1:{orport}
Address 127.0.0.1
ExtendAllowPrivateAddresses 1
ExitRelay 1
ExitPolicyRejectPrivate 0
ExitPolicy accept *:*
OutboundBindAddressExit 127.0.0.1
ServerDNSDetectHijacking 0
ServerDNSAllowBrokenConfig 1
ServerDNSResolvConfFile {resolv}
"""
AUTHORITY = """
AuthoritativeDirectory 1
V3AuthoritativeDirectory 1
DirPort 127.0.0.1:{dirport}
ContactInfo auth@127.0.0.1
TestingV3AuthInitialVotingInterval 20
TestingV3AuthInitialVoteDelay 4
TestingV3AuthInitialDistDelay 4
V3AuthVotingInterval 40
V3AuthVoteDelay 6
V3AuthDistDelay 6
"""
CLIENT = """
SocksPort 127.0.0.1:{socks} ExtendedErrors
SocksPort unix:{dir}/socks ExtendedErrors
ControlPort 127.0.0.1:{control}
CookieAuthentication 0
"""
SECOND = """
SocksPort 127.0.0.1:{socks} ExtendedErrors
SocksPort unix:{dir}/socks ExtendedErrors
ControlPort 127.0.0.1:{control}
ControlSocket {socket}
CookieAuthentication 1
CookieAuthFile {cookie}
HashedControlPassword {hashed}
"""
PASSWORD = 'open "sesame" \\o/'
RELAYS = 4
AUTHORITIES = 3


def run(*cmd, **kw):
    r = subprocess.run(cmd, capture_output=True, text=True, check=False, **kw)
    if r.returncode != 0:
        raise rig.Failed(f"{cmd[0]} failed: {(r.stderr or r.stdout).strip()}")
    return r.stdout + r.stderr


def write(path, text, mode="w"):
    with open(path, mode, encoding="utf-8") as f:
        f.write(text)


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()
    except FileNotFoundError:
        return ""


def make_relay(tor, gencert, root, i, resolv):
    """Keys and configuration of one relay; gives its description and, for an authority, its DirAuthority line."""
    n = dict(nick=f"relay{i}", dir=f"{root}/relay{i}", orport=rig.free_port(), dirport=rig.free_port(), resolv=resolv)
    os.makedirs(n["dir"] + "/keys", mode=0o700)
    os.chmod(n["dir"], 0o700)
    authority = i < AUTHORITIES
    if authority:
        keys = n["dir"] + "/keys/authority_"
        run(gencert, "--create-identity-key", "--passphrase-fd", "0", "-m", "12", "-i", keys + "identity_key", "-s",
            keys + "signing_key", "-c", keys + "certificate", "-a", f"127.0.0.1:{n['dirport']}", input="rig\n")
    write(n["dir"] + "/torrc", (COMMON + RELAY + (AUTHORITY if authority else "")).format(**n))
    printed = run(tor, "--list-fingerprint", "--quiet", "-f", n["dir"] + "/torrc", "--DirAuthority",
                  "x 127.0.0.1:1 ffffffffffffffffffffffffffffffffffffffff")
    fingerprint = re.search(r"relay\d+ ([0-9A-F ]{40,})", printed).group(1).replace(" ", "")
    if not authority:
        return n, None
    v3 = re.search(r"^fingerprint ([0-9A-F]+)", read(keys + "certificate"), re.M).group(1)
    return n, (f"DirAuthority {n['nick']} orport={n['orport']} no-v2 v3ident={v3} 127.0.0.1:{n['dirport']} "
               f"{fingerprint}")


def add_second(tor, root):
    n = dict(nick="second", dir=root + "/second", socks=rig.free_port(), control=rig.free_port(), cookie=root + "/second/cookie",
             socket=root + "/second/socket", socks_socket=root + "/second/socks",
             hashed=run(tor, "--quiet", "--hash-password", PASSWORD).strip().splitlines()[-1])
    os.makedirs(n["dir"], mode=0o700)
    write(n["dir"] + "/torrc", (COMMON + SECOND).format(**n))
    return n


def publishes(second, seconds):
    """Does an onion service's descriptor get to a directory? In a network so young the first may wait for a consensus that is minutes away."""
    quoted = PASSWORD.replace("\\", "\\\\").replace('"', '\\"')
    with socket.create_connection(("127.0.0.1", second["control"]), timeout=seconds) as s, s.makefile("r", encoding="utf-8") as lines:
        s.sendall(f'AUTHENTICATE "{quoted}"\r\nSETEVENTS HS_DESC\r\nADD_ONION NEW:ED25519-V3 Flags=DiscardPK Port=1,127.0.0.1:1\r\n'.encode())
        try:
            return any(line.startswith("650 HS_DESC UPLOADED ") for line in lines)
        except TimeoutError:
            return False


def obey(verb, second, children):
    """A command about the second client, whose process is the last one."""
    process = children.procs[-1]
    if verb == "start":
        children.start(*process.args)
        return
    process.send_signal({"kill": signal.SIGKILL, "stop": signal.SIGSTOP, "go": signal.SIGCONT}[verb])
    if verb == "kill":
        process.wait()
        write(second["dir"] + "/log", "")


def body():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--socks", type=int, help="default: a free port")
    ap.add_argument("--control", type=int, help="default: a free port")
    ap.add_argument("--nameserver", default="127.0.0.1", help="where the exits look names up")
    ap.add_argument("--timeout", type=float, default=180)
    a = ap.parse_args()
    tor, gencert = rig.tool("tor", "tor"), rig.tool("tor-gencert", "tor")
    started = time.monotonic()
    with rig.scratch("tor") as root, rig.Children() as children:
        resolv = root + "/resolv.conf"
        write(resolv, f"nameserver {a.nameserver}\n")
        relays = [make_relay(tor, gencert, root, i, resolv) for i in range(RELAYS)]
        client = dict(nick="client", dir=root + "/client", socks=a.socks or rig.free_port(),
                      control=a.control or rig.free_port())
        os.makedirs(client["dir"], mode=0o700)
        write(client["dir"] + "/torrc", (COMMON + CLIENT).format(**client))
        second = add_second(tor, root)
        lines = "".join(line + "\n" for _, line in relays if line)
        for n in [n for n, _ in relays] + [client, second]:
            write(n["dir"] + "/torrc", lines, "a")
            children.start(tor, "--quiet", "-f", n["dir"] + "/torrc")
        while not all("Bootstrapped 100%" in read(n["dir"] + "/log") for n in (client, second)):
            for p in children.procs:
                if p.poll() is not None:
                    log = read(os.path.dirname(p.args[-1]) + "/log")
                    raise rig.Failed(f"a tor process ended early ({p.args[-1]}): {log[-500:]}")
            if time.monotonic() - started > a.timeout:
                raise rig.Failed(f"no circuit after {a.timeout} s: {read(client['dir'] + '/log')[-500:]}")
            time.sleep(0.25)
        while not publishes(second, 10):
            if time.monotonic() - started > a.timeout:
                raise rig.Failed(f"no onion service was published in {a.timeout} s: {read(second['dir'] + '/log')[-500:]}")
        rig.ready(socks=client["socks"], socks_socket=client["dir"] + "/socks", control=client["control"],
                  seconds=round(time.monotonic() - started, 1), dir=root, second={
                      "password": PASSWORD, **{k: second[k] for k in ("socks", "socks_socket", "control", "cookie", "socket")}})
        for line in sys.stdin:
            obey(line.split()[0], second, children)
            print(json.dumps({"done": line.strip()}), flush=True)


if __name__ == "__main__":
    rig.main(body)
