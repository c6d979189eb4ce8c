"""A network for the browser in which nothing changes.

Chromium breaks off whatever waits for a connection when an address of its machine comes or
goes (ERR_NETWORK_CHANGED), and every container brings a network interface with one. So the
suite's browser runs in a network namespace of its own that has a loopback and nothing else.
A SOCKS proxy leads out of it: its listener is made in there and served out here, since a
socket stays in the namespace in which it was made, whoever holds it.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import socket
import struct
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PORT = 1080
PROXY_ARGUMENTS = (f"--proxy-server=socks5://127.0.0.1:{PORT}", "--proxy-bypass-list=<-loopback>")
_HANDOVER_SECONDS = 30
_CHUNK = 65536
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 0x1  # SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP
_IPV4, _GRANTED = 1, b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"  # RFC 1928, 5 and 6


@contextmanager
def still_network(program: Path) -> Iterator[Path]:
    """A file to execute in the place of `program`, which then runs in such a network.

    Serves the first process that is started so; needs root.
    """
    with tempfile.TemporaryDirectory(prefix="gantry-still-") as folder:
        handover = Path(folder) / "listener"
        wrapper = Path(folder) / program.name
        root = Path(__file__).parents[2]
        enter = f"{sys.executable} -m tests.support.still_network {handover} {program}"
        path = f"PYTHONPATH={root}"
        wrapper.write_text(f'#!/bin/sh\n{path} exec unshare --net {enter} "$@"\n')
        wrapper.chmod(0o700)
        with socket.socket(socket.AF_UNIX) as waiting:
            waiting.bind(str(handover))
            waiting.listen()
            waiting.settimeout(_HANDOVER_SECONDS)
            loop = asyncio.new_event_loop()
            serving = threading.Thread(target=_serve, args=(loop, waiting), daemon=True)
            serving.start()
            try:
                yield wrapper
            finally:
                with contextlib.suppress(RuntimeError):  # it has ended by itself
                    loop.call_soon_threadsafe(loop.stop)
                serving.join()


def _serve(loop: asyncio.AbstractEventLoop, waiting: socket.socket) -> None:
    try:
        there, _ = waiting.accept()
        with there:
            _, (listener, *_), _, _ = socket.recv_fds(there, 1, 1)
        served = socket.socket(fileno=listener)
        server = loop.run_until_complete(asyncio.start_server(_lead_out, sock=served))
        with contextlib.suppress(asyncio.CancelledError):
            loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
    finally:
        loop.close()


async def _lead_out(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection of the browser's: where it wants to go, then bytes both ways."""
    try:
        _, methods = await reader.readexactly(2)
        await reader.readexactly(methods)
        writer.write(b"\x05\x00")
        *_, kind = await reader.readexactly(4)
        if kind == _IPV4:
            host = socket.inet_ntoa(await reader.readexactly(4))
        else:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        (port,) = struct.unpack("!H", await reader.readexactly(2))
        far_reader, far_writer = await asyncio.open_connection(host, port)
        writer.write(_GRANTED)
        await asyncio.gather(_carry(reader, far_writer), _carry(far_reader, writer))
    except (OSError, asyncio.IncompleteReadError):
        pass  # closed without a word, which the browser takes for a refused connection
    finally:
        writer.close()


async def _carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(_CHUNK):
            target.write(data)
            await target.drain()
    finally:
        target.close()


def _enter(handover: str, *command: str) -> None:
    """In the new namespace: make the listener, hand it out, become the command."""
    with socket.socket() as asking:
        name = b"lo"
        answer = fcntl.ioctl(asking, _GET_FLAGS, struct.pack("16sh14x", name, 0))
        _, flags = struct.unpack("16sh14x", answer)
        fcntl.ioctl(asking, _SET_FLAGS, struct.pack("16sh14x", name, flags | _UP))
    with socket.socket() as listener, socket.socket(socket.AF_UNIX) as out:
        listener.bind(("127.0.0.1", PORT))
        listener.listen(100)
        out.connect(handover)
        socket.send_fds(out, [b"l"], [listener.fileno()])
    os.execv(command[0], command)


if __name__ == "__main__":
    _enter(*sys.argv[1:])
