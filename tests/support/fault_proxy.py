"""A socket in front of another, TCP or unix, that can be cut, hung, slowed and mended.

An asyncio loop in a thread of its own carries the bytes; its methods are called from the
test's thread and have taken effect when they return. `up` is from the client to the target,
`down` is back.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PIECE = 1 << 16

Address = Path | str | tuple[str, int]
"""The path of a unix socket, or host and port."""


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong with a connection. Bytes are counted from its beginning.

    `cut_up_at`, `cut_down_at`: it ends after exactly so many bytes in that direction.
    `delay_seconds`: each piece waits so long, both ways. `bytes_per_second`: no faster than
    this, each way. `black_hole`: bytes are taken and go nowhere. `drop_reply_to`: once the
    client has sent these bytes they are passed on, and the connection ends when the reply
    comes, which nobody sees: what was asked has been done.
    """

    cut_up_at: int | None = None
    cut_down_at: int | None = None
    delay_seconds: float = 0.0
    bytes_per_second: int | None = None
    black_hole: bool = False
    drop_reply_to: bytes = b""


NONE = Faults()


class FaultProxy:
    """Passes bytes both ways while it is up. `cut` is a dead target, `hang` one that is stuck."""

    def __init__(self, listen: Address, target: Address) -> None:
        """Port 0 takes a free one: see `address`."""
        self.address = listen
        self.faults = NONE
        """Of all connections, the open ones too."""
        self.choose: Callable[[bytes], Faults | None] | None = None
        """Faults for one new connection, by the first bytes its client sent."""
        self.cuts = 0
        """Connections that ended by a fault, not by `cut`."""
        self._target = target
        self._links: set[_Link] = set()
        self._listener: socket.socket | None = None
        self._loop = asyncio.new_event_loop()
        self._gates = {"up": asyncio.Event(), "down": asyncio.Event()}
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxy")
        self._thread.start()

    def mend(self) -> None:
        """Let it answer (again), without faults: what was held goes on."""
        self.faults, self.choose = NONE, None
        self._do(self._mend())

    def cut(self) -> None:
        """End all connections, and take no more: nobody listens."""
        self._do(self._cut())

    def hang(self) -> None:
        """Take connections and bytes, and pass nothing on."""
        self._do(self._close_gates("up", "down"))

    def hold_replies(self) -> None:
        """Pass on what is asked, and keep the answers until it is mended or cut."""
        self._do(self._close_gates("down"))

    def end_connections(self) -> None:
        """End all connections that are open now; new ones are taken."""
        self._do(self._end_links())

    def close(self) -> None:
        """End everything and its thread; it cannot be mended any more."""
        if not self._loop.is_closed():
            self.cut()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def __enter__(self) -> Self:
        self.mend()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # --- in its loop ---

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _mend(self) -> None:
        for gate in self._gates.values():
            gate.set()
        if self._listener is None:
            self._listener = self._listen()
            self._loop.add_reader(self._listener, self._accept, self._listener)

    def _listen(self) -> socket.socket:
        if isinstance(self.address, tuple):
            listener = socket.create_server(self.address, backlog=128)
            self.address = listener.getsockname()[:2]
        else:
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(self.address))
            listener.listen(128)
        listener.setblocking(False)
        return listener

    def _accept(self, listener: socket.socket) -> None:
        # Not asyncio's own server: closed while a client comes in, it forgets that client.
        with contextlib.suppress(BlockingIOError):
            link = _Link(listener.accept()[0])
            link.accepted.setblocking(False)
            self._links.add(link)
            link.tasks.append(self._loop.create_task(self._carry(link)))

    async def _cut(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            self._loop.remove_reader(listener)
            listener.close()
            if not isinstance(self.address, tuple):
                Path(self.address).unlink(missing_ok=True)
        await self._end_links()

    async def _end_links(self) -> None:
        links, self._links = self._links, set()
        for link in links:
            link.end(at_once=True)
            await asyncio.gather(*link.tasks, return_exceptions=True)
            if not link.writers:  # it came in just before, and nobody had taken it up
                link.accepted.close()
        await asyncio.sleep(0)  # the sockets close in the loop's next round

    async def _close_gates(self, *names: str) -> None:
        for name in names:
            self._gates[name].clear()

    async def _carry(self, link: _Link) -> None:
        """One connection, from its beginning to the end of either side."""
        near, to_near = await asyncio.open_connection(sock=link.accepted)
        link.writers.append(to_near)
        try:
            far, to_far = await self._dial()
        except OSError:
            self._links.discard(link)
            link.end()
            return
        link.writers.append(to_far)
        up = self._loop.create_task(self._pass(link, "up", near, to_far))
        down = self._loop.create_task(self._pass(link, "down", far, to_near))
        link.tasks += [up, down]
        await asyncio.wait([up, down], return_when=asyncio.FIRST_COMPLETED)
        self._links.discard(link)
        link.end()

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._target, tuple):
            return await asyncio.open_connection(*self._target)
        return await asyncio.open_unix_connection(str(self._target))

    async def _pass(
        self, link: _Link, way: str, source: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> None:
        """Until one side or a fault ends it."""
        passed = 0
        with contextlib.suppress(OSError):
            while data := await source.read(PIECE):
                if way == "up":
                    self._asked(link, data)
                await self._gates[way].wait()
                faults = link.faults or self.faults
                if faults.delay_seconds:
                    await self._slowly(faults.delay_seconds)
                if faults.bytes_per_second:
                    await self._slowly(len(data) / faults.bytes_per_second)
                if faults.black_hole:
                    continue
                end = faults.cut_up_at if way == "up" else faults.cut_down_at
                if way == "down" and link.reply_dropped:
                    end = passed
                if end is not None and passed + len(data) >= end:
                    sink.write(data[: max(0, end - passed)])
                    await sink.drain()
                    self.cuts += 1
                    return
                sink.write(data)
                await sink.drain()
                passed += len(data)

    async def _slowly(self, seconds: float) -> None:
        late = asyncio.Event()
        self._loop.call_later(seconds, late.set)
        await late.wait()

    def _asked(self, link: _Link, data: bytes) -> None:
        """Look at what the client sent."""
        if not link.begun and self.choose is not None:
            link.faults = self.choose(data)
        link.begun = True
        wanted = (link.faults or self.faults).drop_reply_to
        link.reply_dropped = link.reply_dropped or bool(wanted and wanted in data)


@dataclass(eq=False)
class _Link:
    """One connection through the proxy."""

    accepted: socket.socket
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    faults: Faults | None = None
    begun: bool = False
    reply_dropped: bool = False

    def end(self, *, at_once: bool = False) -> None:
        """Close both ends; what was written to them still arrives, unless `at_once`."""
        for task in self.tasks:
            if task is not asyncio.current_task():
                task.cancel()
        for writer in self.writers:
            if at_once:
                writer.transport.abort()
            else:
                writer.close()
