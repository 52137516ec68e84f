#!/usr/bin/env python3
"""A tailnet on this machine: control server, relay and plain nodes (tailnet/, in Go), for tests of network.tailscale.

    tailnet.py build DIRECTORY                        build wippy-tsnet and the counterpart into DIRECTORY (minutes the first time)
    tailnet.py control DIRECTORY [--authkey KEY]      {"control_url", "authkey", "domain"}
    tailnet.py node DIRECTORY --control URL --authkey KEY --name NAME --dir STATE     {"name", "address"}
    tailnet.py acme DIRECTORY                         {"directory", "roots"}

`node --names ADDRESS` gets a resolv.conf of its own, with that name server. The last three become that program: what they print and understand is in tailnet/control.go and tailnet/node.go. They want a network with an interface
that has another address than the loopback's, best a namespace of their own (netns.py).
"""
import json
import os
import subprocess
import sys
import tempfile

import rig

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))


def build(directory):
    go = rig.tool("go", "golang-go")
    env = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false -mod=mod"}
    for cwd, cmd in ((TOP, ["scripts/sidecar.sh", os.path.join(directory, "wippy-tsnet")]),
                     (os.path.join(HERE, "tailnet"), [go, "build", "-trimpath", "-o", os.path.join(directory, "tailnet"), "."])):
        r = subprocess.run(cmd, cwd=cwd, env=env, capture_output=True, text=True, check=False)
        if r.returncode != 0:
            raise rig.Failed(f"{cmd[0]}: {r.stderr[-2000:]}")
    return {"sidecar": os.path.join(directory, "wippy-tsnet"), "program": os.path.join(directory, "tailnet")}


def main():
    mode, directory, rest = sys.argv[1], os.path.abspath(sys.argv[2]), sys.argv[3:]
    if mode == "build":
        print(json.dumps(build(directory)), flush=True)
        return
    program = os.path.join(directory, "tailnet")
    command = [program, mode, *[a.replace("--", "-", 1) if a.startswith("--") else a for a in rest]]
    if "--names" in rest:
        with tempfile.NamedTemporaryFile("w", suffix=".conf", delete=False) as f:
            f.write(f"nameserver {rest[rest.index('--names') + 1]}\n")
        lay = 'mount --bind "$1" /etc/resolv.conf && rm "$1" && shift && exec "$@"'
        command = ["unshare", "-m", "sh", "-c", lay, "sh", f.name, *command]
    os.execvp(command[0], command)


if __name__ == "__main__":
    try:
        main()
    except rig.Failed as e:
        print(e, file=sys.stderr)
        sys.exit(1)
