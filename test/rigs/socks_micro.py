#!/usr/bin/env python3
"""microsocks (Debian's microsocks) on 127.0.0.1.

    socks_micro.py [--port PORT] [--username NAME --password TEXT] [--source ADDRESS]

Prints {"port": 40123} when it answers.
"""
import argparse

import rig


def body():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--port", type=int, help="default: a free port")
    ap.add_argument("--username")
    ap.add_argument("--password")
    ap.add_argument("--source", help="address to dial out from")
    a = ap.parse_args()
    cmd = [rig.tool("microsocks", "microsocks"), "-i", "127.0.0.1"]
    port = a.port or rig.free_port()
    cmd += ["-p", port]
    if a.username:
        cmd += ["-u", a.username, "-P", a.password or ""]
    if a.source:
        cmd += ["-b", a.source]
    with rig.Children() as children:
        p = children.start(*cmd)
        rig.wait_for_port(port, process=p)
        rig.ready(port=port)
        rig.until_stdin_closes()


if __name__ == "__main__":
    rig.main(body)
