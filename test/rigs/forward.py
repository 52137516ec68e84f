#!/usr/bin/env python3
"""A TCP port that leads to a Unix socket: what listens there can be used from another network namespace.

    forward.py SOCKET [--bind 127.0.0.1]

Prints {"port": N} and runs until its standard input closes.
"""
import argparse
import asyncio
import os
import sys

import rig


async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    writer.close()


async def serve(a):
    async def connected(reader, writer):
        try:
            r2, w2 = await asyncio.open_unix_connection(a.socket)
        except OSError:
            writer.close()
            return
        await asyncio.gather(pump(reader, w2), pump(r2, writer))

    server = await asyncio.start_server(connected, a.bind, 0)
    rig.ready(port=server.sockets[0].getsockname()[1])
    await asyncio.get_running_loop().run_in_executor(None, rig.until_stdin_closes)
    # What is still open ends with the process.
    sys.stdout.flush()
    os._exit(0)


def body():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("socket")
    ap.add_argument("--bind", default="127.0.0.1")
    asyncio.run(serve(ap.parse_args()))


if __name__ == "__main__":
    rig.main(body)
