#!/usr/bin/env python3
"""Dante's SOCKS server (Debian's dante-server) on 127.0.0.1. Needs root.

    socks_dante.py [--port PORT] [--username NAME --password TEXT] [--refuse ADDRESS]... [--source ADDRESS]

With --username the server takes only RFC 1929 credentials. Dante checks them against the system's users, so the rig gives its
own dante a private view of /etc/passwd and /etc/shadow (a mount namespace): nothing on the system changes.
--refuse names destinations (an address or network) that the ruleset turns away.
Prints {"port": 40123} when it answers.
"""
import argparse
import ctypes
import os
import shutil
import subprocess

import rig

CLONE_NEWNS = 0x00020000
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
CONF = """
logoutput: stderr
internal: 127.0.0.1 port = {port}
external: {source}
socksmethod: {method}
user.privileged: root
user.unprivileged: nobody
user.libwrap: nobody
timeout.negotiate: 10
client pass {{ from: 127.0.0.0/8 to: 0/0 }}
{refusals}
socks pass {{ from: 127.0.0.0/8 to: 0/0 }}
"""


def mount(source, target, flags):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(source.encode() if source else None, target.encode(), None, flags, None) != 0:
        raise rig.Failed(f"mount on {target}: {os.strerror(ctypes.get_errno())}")


def own_user(directory, name, password):
    """Let this process and its children, and nobody else, see a user `name`."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0:
        raise rig.Failed(f"a mount namespace is needed: {os.strerror(ctypes.get_errno())}")
    mount(None, "/", MS_REC | MS_PRIVATE)
    hashed = subprocess.run([rig.tool("openssl", "openssl"), "passwd", "-6", "-stdin"], input=password + "\n", text=True,
                            capture_output=True, check=True).stdout.strip()
    for file, line in (("passwd", f"{name}:x:64990:65534::/nonexistent:/usr/sbin/nologin\n"),
                       ("shadow", f"{name}:{hashed}:19000:0:99999:7:::\n")):
        copy = os.path.join(directory, file)
        shutil.copy("/etc/" + file, copy)
        shutil.copystat("/etc/" + file, copy)
        with open(copy, "a", encoding="utf-8") as f:
            f.write(line)
        mount(copy, "/etc/" + file, MS_BIND)


def body():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--port", type=int, help="default: a free port")
    ap.add_argument("--username")
    ap.add_argument("--password")
    ap.add_argument("--refuse", action="append", default=[])
    ap.add_argument("--source", default="lo", help="interface or address to dial out from")
    a = ap.parse_args()
    danted = rig.tool("danted", "dante-server")
    if os.geteuid() != 0:
        raise rig.Failed("dante needs root to start")
    port = a.port or rig.free_port()
    refusals = "\n".join(f"socks block {{ from: 0.0.0.0/0 to: {r if '/' in r else r + '/32'} }}" for r in a.refuse)
    with rig.scratch("dante") as directory, rig.Children() as children:
        if a.username:
            own_user(directory, a.username, a.password or "")
        conf = os.path.join(directory, "danted.conf")
        with open(conf, "w", encoding="utf-8") as f:
            f.write(CONF.format(port=port, source=a.source, refusals=refusals, method="username" if a.username else "none"))
        p = children.start(danted, "-f", conf, "-p", os.path.join(directory, "pid"))
        rig.wait_for_port(port, process=p)
        rig.ready(port=port)
        rig.until_stdin_closes()


if __name__ == "__main__":
    rig.main(body)
