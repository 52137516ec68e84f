#!/usr/bin/env python3
"""A SAM v3 bridge without a network behind it: the destinations of its own sessions reach each other at once, nobody else is there.

    sam_bridge.py [--port N]

Prints {"port": N} and runs until its standard input closes. For what needs a bridge, not I2P (test/rigs/i2p_network.py is that).
https://geti2p.net/en/docs/api/samv3
"""
import argparse
import asyncio
import base64
import hashlib
import os
import sys

import rig

PUBLIC_BYTES, SECRET_BYTES = 391, 64
# Signature type 7, encryption type 0: https://geti2p.net/spec/common-structures#key-certificates
CERTIFICATE = bytes([5, 0, 4, 0, 7, 0, 0])


def encode(data):
    return base64.b64encode(data, b"-~").decode()


def decode(text):
    return base64.b64decode(text + "=" * (-len(text) % 4), b"-~", validate=True)


def b32(public):
    return base64.b32encode(hashlib.sha256(public).digest()).decode().lower().rstrip("=") + ".b32.i2p"


class Session:
    def __init__(self, private):
        self.private, self.public = private, private[:PUBLIC_BYTES]
        self.accepts = asyncio.Queue()


class Bridge:
    def __init__(self):
        self.sessions = {}

    def find(self, destination):
        for s in self.sessions.values():
            if destination in (b32(s.public), encode(s.public)):
                return s
        return None

    def create(self, words):
        name, destination = words["ID"], words["DESTINATION"]
        if name in self.sessions:
            return None, "SESSION STATUS RESULT=DUPLICATED_ID"
        if destination == "TRANSIENT":
            private = os.urandom(PUBLIC_BYTES - len(CERTIFICATE)) + CERTIFICATE + os.urandom(SECRET_BYTES)
        else:
            private = decode(destination)
        if self.find(b32(private[:PUBLIC_BYTES])):
            return None, "SESSION STATUS RESULT=DUPLICATED_DEST"
        self.sessions[name] = Session(private)
        return name, f"SESSION STATUS RESULT=OK DESTINATION={encode(private)}"

    async def stream(self, words, reader, writer):
        """STREAM CONNECT: what follows are the bytes of both sides."""
        mine, peer = self.sessions.get(words["ID"]), self.find(words["DESTINATION"])
        if not mine or not peer:
            writer.write(b"STREAM STATUS RESULT=" + (b"CANT_REACH_PEER\n" if mine else b"INVALID_ID\n"))
            return
        their_reader, their_writer, taken = await peer.accepts.get()
        taken.set_result(None)
        writer.write(b"STREAM STATUS RESULT=OK\n")
        their_writer.write(f"{encode(mine.public)} FROM_PORT=0 TO_PORT={words.get('TO_PORT', '0')}\n".encode())
        await asyncio.gather(pump(reader, their_writer), pump(their_reader, writer))

    async def serve(self, reader, writer):
        own = None
        try:
            while line := (await reader.readline()).decode():
                command = " ".join(line.split()[:2])
                words = dict(w.split("=", 1) for w in line.split()[2:] if "=" in w)
                if command == "HELLO VERSION":
                    writer.write(b"HELLO REPLY RESULT=OK VERSION=3.2\n")
                elif command == "DEST GENERATE":
                    private = os.urandom(PUBLIC_BYTES - len(CERTIFICATE)) + CERTIFICATE + os.urandom(SECRET_BYTES)
                    writer.write(f"DEST REPLY PUB={encode(private[:PUBLIC_BYTES])} PRIV={encode(private)}\n".encode())
                elif command == "SESSION CREATE":
                    made, answer = self.create(words)
                    own = own or made
                    writer.write(answer.encode() + b"\n")
                elif command == "NAMING LOOKUP" and words["NAME"] == "ME" and own:
                    writer.write(f"NAMING REPLY RESULT=OK NAME=ME VALUE={encode(self.sessions[own].public)}\n".encode())
                elif command == "STREAM CONNECT":
                    await self.stream(words, reader, writer)
                    return
                elif command == "STREAM ACCEPT" and words["ID"] in self.sessions:
                    taken = asyncio.get_running_loop().create_future()
                    writer.write(b"STREAM STATUS RESULT=OK\n")
                    await self.sessions[words["ID"]].accepts.put((reader, writer, taken))
                    await taken
                    writer = None  # the connecting side's from here on
                    return
                else:
                    writer.write(b"STREAM STATUS RESULT=I2P_ERROR\n")
                    return
        except (OSError, ValueError, KeyError):
            pass
        finally:
            if own:
                del self.sessions[own]
            if writer:
                writer.close()


async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    writer.close()


async def run(port):
    bridge = Bridge()
    server = await asyncio.start_server(bridge.serve, "127.0.0.1", port)
    rig.ready(port=server.sockets[0].getsockname()[1])
    await asyncio.get_running_loop().run_in_executor(None, rig.until_stdin_closes)
    # What is still open ends with the process.
    sys.stdout.flush()
    os._exit(0)


def body():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--port", type=int, default=0)
    asyncio.run(run(ap.parse_args().port))


if __name__ == "__main__":
    rig.main(body)
