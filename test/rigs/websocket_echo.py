#!/usr/bin/env python3
"""A WebSocket server that says everything back, for tests in another network namespace.

    websocket_echo.py [--bind 127.0.0.1]

Prints {"port": N} and runs until its standard input closes.
"""
import argparse
import sys
from pathlib import Path

import rig

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "net"))
from websocket_peer import Server  # noqa: E402

if __name__ == "__main__":
    p = argparse.ArgumentParser()
    p.add_argument("--bind", default="127.0.0.1")
    server = Server(host=p.parse_args().bind)
    rig.ready(port=server.port)
    rig.until_stdin_closes()
