"""Pages that stand on the list of jobs, as live.js keeps them: told by their socket, each region
is fetched one at a time, at most so often, the last signal never lost, and again after a refusal.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from http.client import HTTPConnection
from typing import Any, Self

from websockets.asyncio.client import ClientConnection

from benchmarks.sockets import open_sockets, say
from tests.support.running import RunningGantry

MOST_AGAIN_SECONDS = 15.0
"""What was refused is asked again after 2, 4, 8, then each 15 s."""


class ListPages:
    """So many open pages with these regions; an async context, on one event loop."""

    def __init__(
        self, gantry: RunningGantry, cookie: str, many: int, regions: Sequence[str]
    ) -> None:
        self._gantry = gantry
        self._cookie = cookie
        self._many = many
        self._regions = regions
        self._stack = AsyncExitStack()
        self._tasks: set[asyncio.Task[None]] = set()
        self._busy: set[tuple[int, str]] = set()
        self._again: dict[tuple[int, str], float] = {}
        self._begun_at = {(n, region): 0.0 for n in range(many) for region in regions}
        self.fetches: list[float] = []
        """How long each took, ms."""
        self.refused = 0

    def current(self, moment: float) -> int:
        """How many pages have all regions as they were after that moment (perf_counter)."""
        behind = {n for (n, _), begun in self._begun_at.items() if begun <= moment}
        return self._many - len(behind)

    @property
    def at_rest(self) -> bool:
        """Whether nothing that was told is still to be fetched."""
        return not self._busy

    async def __aenter__(self) -> Self:
        sockets = await open_sockets(self._stack, self._gantry, self._cookie, self._many)
        for n, socket in enumerate(sockets):
            self._start(self._listen(n, socket))
            await say(socket, op="sub", topics=["jobs"])
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await self._stack.aclose()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _listen(self, n: int, socket: ClientConnection) -> None:
        async for text in socket:
            message = json.loads(text)
            if message["t"] == "ping":
                await say(socket, op="pong")
            elif message["t"] == "jobs":
                for region in self._regions:
                    self._again[n, region] = message["every_ms"] / 1000
                    if (n, region) not in self._busy:
                        self._busy.add((n, region))
                        self._start(self._look(n, region))

    async def _look(self, n: int, region: str) -> None:
        key, failures = (n, region), 0
        while key in self._again:
            due = self._begun_at[key] + self._again.pop(key)
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            begun, took, well = await asyncio.to_thread(self._fetch, region)
            failures = 0 if well else failures + 1
            if well:
                self._begun_at[key] = begun
                self.fetches.append(1000 * took)
            else:
                self.refused += 1
                await asyncio.sleep(min(MOST_AGAIN_SECONDS, 2.0**failures))
                self._again.setdefault(key, 0.0)
        self._busy.discard(key)

    def _fetch(self, region: str) -> tuple[float, float, bool]:
        """When it was sent, how long it took, and whether it was answered."""
        begun = time.perf_counter()
        connection = HTTPConnection("127.0.0.1", self._gantry.port, timeout=60)
        connection.request("GET", region, headers={"Cookie": self._cookie})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        assert answer.status in (200, 503), answer.status
        return begun, time.perf_counter() - begun, answer.status == 200
