#!/usr/bin/env python3
"""Two joined network namespaces: a watched one for the program under test, and a far one for the proxy and its targets. Needs root.

    netns.py --dir DIRECTORY [--host NAME=ADDRESS]... [--answer NAME=ANSWERS]... [--ca FILE]

The near namespace has a loopback, one link to the far address, and a default route over that link: whatever the program
sends anywhere appears on an interface that tcpdump watches, and what is not addressed to the far side is dropped there. Its resolver is
a trap on its own loopback that records every question (DIRECTORY/dns.jsonl) and knows no name but those of --answer, see dns_trap.py. --host adds lines to the near side's /etc/hosts,
--ca replaces its trusted certificates.

    near  10.203.0.2 ----- 10.203.0.1  far

Run something inside with `ip netns exec NAME command`. Every packet that the near side sends or receives is one line of
DIRECTORY/packets.txt (tcpdump's text, interface first).
Prints {"near": NAME, "far": NAME, "near_ip": ..., "far_ip": ..., "packets": FILE, "dns": FILE} when all is up; removes all of it at
the end.
"""
import argparse
import os
import shutil
import subprocess
import sys
import time

import rig

NEAR_IP, FAR_IP, PREFIX = "10.203.0.2", "10.203.0.1", 30


def run(*cmd):
    r = subprocess.run(cmd, capture_output=True, text=True, check=False)
    if r.returncode != 0:
        raise rig.Failed(f"{' '.join(cmd)}: {r.stderr.strip()}")


class Namespaces:
    def __init__(self):
        self.ip = rig.tool("ip", "iproute2")
        self.near, self.far = f"wippy{os.getpid()}n", f"wippy{os.getpid()}f"
        self.etc = f"/etc/netns/{self.near}"

    def __enter__(self):
        try:
            self.make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def inside(self, name, *cmd):
        return [self.ip, "netns", "exec", name, *cmd]

    def make(self):
        ip = self.ip
        for name in (self.near, self.far):
            run(ip, "netns", "add", name)
            # IPv6 would speak by itself (neighbour discovery) and blur the picture; ::1 stays.
            run(*self.inside(name, "sh", "-c", "for i in all default; do echo 1 >/proc/sys/net/ipv6/conf/$i/disable_ipv6; done;"
                             " echo 0 >/proc/sys/net/ipv6/conf/lo/disable_ipv6; true"))
            run(ip, "-n", name, "link", "set", "lo", "up")
        run(ip, "-n", self.near, "link", "add", "link0", "type", "veth", "peer", "name", "link0", "netns", self.far)
        for name, address in ((self.near, NEAR_IP), (self.far, FAR_IP)):
            run(ip, "-n", name, "addr", "add", f"{address}/{PREFIX}", "dev", "link0")
            run(ip, "-n", name, "link", "set", "link0", "up")
        run(ip, "-n", self.near, "route", "add", "default", "via", FAR_IP)

    def files(self, hosts, ca):
        """Files that `ip netns exec` lays over /etc for what it runs in the near namespace."""
        os.makedirs(self.etc)
        with open(self.etc + "/resolv.conf", "w", encoding="utf-8") as f:
            f.write("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        with open(self.etc + "/hosts", "w", encoding="utf-8") as f:
            f.write("127.0.0.1 localhost\n")
            for h in hosts:
                name, address = h.split("=", 1)
                f.write(f"{address} {name}\n")
        with open(self.etc + "/nsswitch.conf", "w", encoding="utf-8") as f:
            f.write("passwd: files\ngroup: files\nhosts: files dns\n")
        if ca:
            os.makedirs(self.etc + "/ssl/certs")
            shutil.copy(ca, self.etc + "/ssl/certs/ca-certificates.crt")
            if os.path.exists("/etc/ssl/openssl.cnf"):
                shutil.copy("/etc/ssl/openssl.cnf", self.etc + "/ssl/openssl.cnf")

    def __exit__(self, *_):
        for name in (self.near, self.far):
            subprocess.run([self.ip, "netns", "del", name], capture_output=True, check=False)
        shutil.rmtree(self.etc, ignore_errors=True)
        try:
            os.rmdir("/etc/netns")  # only if it was ours alone
        except OSError:
            pass


def wait_until(said, seconds, what):
    end = time.monotonic() + seconds
    while not said():
        if time.monotonic() > end:
            raise rig.Failed(f"{what} did not start within {seconds} s")
        time.sleep(0.02)


def body():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--dir", required=True)
    ap.add_argument("--host", action="append", default=[])
    ap.add_argument("--answer", action="append", default=[])
    ap.add_argument("--ca")
    a = ap.parse_args()
    if os.geteuid() != 0:
        raise rig.Failed("network namespaces need root")
    tcpdump = rig.tool("tcpdump", "tcpdump")
    here = os.path.dirname(os.path.abspath(__file__))
    packets, dns, said = (os.path.join(a.dir, n) for n in ("packets.txt", "dns.jsonl", "tcpdump.err"))
    open(dns, "w", encoding="utf-8").close()
    with Namespaces() as spaces, rig.Children() as children, open(packets, "wb") as out, open(said, "wb") as err:
        spaces.files(a.host, a.ca)
        children.start(*spaces.inside(spaces.near, tcpdump, "-i", "any", "-n", "-l", "-q", "-t", "--immediate-mode", "ip or ip6"),
                       stdout=out, stderr=err)
        trap = children.start(*spaces.inside(spaces.near, sys.executable, os.path.join(here, "dns_trap.py"), "--port", "53", "--log",
                              dns, *[w for n in a.answer for w in ("--host", n)]), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if not trap.stdout.readline():
            raise rig.Failed("the name server's trap did not start")
        wait_until(lambda: "listening on" in open(said, encoding="utf-8", errors="replace").read(), 10, "tcpdump")
        rig.ready(near=spaces.near, far=spaces.far, near_ip=NEAR_IP, far_ip=FAR_IP, packets=packets, dns=dns)
        rig.until_stdin_closes()


if __name__ == "__main__":
    rig.main(body)
