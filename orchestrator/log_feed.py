"""One attempt's log, streamed to one socket at the speed of its reader.

The feed reads from the store, never from a queue: what a reader has not taken stays
stored, and costs no memory here. At most IN_FLIGHT batches are on their way; then the feed
waits for the reader's word. A reader that has fallen far behind (or that opens a long log)
gets a `gap` that it can load, and goes on near the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from jobs.log.archive import Gap
from jobs.log.ending import ending
from jobs.log.follow import POLL_SECONDS, Reading, read_shared
from jobs.log.reading import Stretch
from jobs.log.seek import seq_before_tail
from jobs.log.text import LogText, Row
from jobs.models import Attempt
from orchestrator.topics import LogGrant
from projects.hub import Hub
from projects.offload import in_database

IN_FLIGHT = 4
"""Most batches sent and not acknowledged."""
BATCH_SECONDS = 0.05
"""At most one batch in this time while following."""
BEHIND_LINES, BEHIND_BYTES = 20_000, 8 * 2**20
"""A reader further behind than this is taken to the tail."""
TAIL_LINES, TAIL_BYTES = 5_000, 2 * 2**20

Send = Callable[[dict[str, Any]], Awaitable[None]]


class LogFeed:
    """Sends `log`, `gap` and at last `end` messages about one attempt."""

    def __init__(self, grant: LogGrant, after_seq: int, send: Send, hub: Hub) -> None:
        self._grant = grant
        self._after = after_seq
        self._send = send
        self._hub = hub
        self._sent = self._acknowledged = 0
        self._room = asyncio.Event()
        self._text = LogText()

    @property
    def grant(self) -> LogGrant:
        """What is streamed."""
        return self._grant

    def acknowledge(self, number: int) -> None:
        """The reader has taken the batches up to this number."""
        if self._acknowledged < number <= self._sent:
            self._acknowledged = number
            self._room.set()

    async def run(self) -> None:
        """Stream until the attempt has ended and all of its log was sent."""
        attempt_id, job_id = self._grant.attempt_id, self._grant.job_id
        bell = self._hub.watch_log(attempt_id, job_id)
        loop = asyncio.get_running_loop()
        try:
            while True:
                await self._wait_for_room()
                began = loop.time()
                reading = await read_shared(attempt_id, self._after)
                if await self._took_to_tail(reading):
                    continue
                await self._send_items(reading)
                if reading.over:
                    await self._send_end()
                    return
                if reading.seq >= reading.last_seq:
                    await bell.wait(POLL_SECONDS)
                    await asyncio.sleep(max(0.0, began + BATCH_SECONDS - loop.time()))
        except Attempt.DoesNotExist:
            await self._tell({"t": "end", "state": "deleted"})
        finally:
            self._hub.unwatch_log(attempt_id, job_id, bell)

    async def _wait_for_room(self) -> None:
        while self._sent - self._acknowledged >= IN_FLIGHT:
            self._room.clear()
            await self._room.wait()

    async def _took_to_tail(self, reading: Reading) -> bool:
        """Skip to the end of the log when it is too far away; what is skipped is told."""
        if reading.lines_behind <= BEHIND_LINES and reading.bytes_behind <= BEHIND_BYTES:
            return False
        attempt_id = self._grant.attempt_id
        tail = await in_database(seq_before_tail, attempt_id, TAIL_LINES, TAIL_BYTES)
        if tail <= self._after:
            return False
        first_after = await read_shared(attempt_id, tail)
        skipped = reading.lines_behind - first_after.lines_behind
        await self._tell(
            {
                "t": "gap",
                "after": self._after,
                "seq": tail,
                "first_line": reading.first_line,
                "lines": max(skipped, 0),
                "why": "",
            }
        )
        self._after = tail
        self._text = LogText()
        return True

    async def _send_items(self, reading: Reading) -> None:
        rows: list[Row] = []
        after = self._after
        for item in reading.items:
            if isinstance(item, Stretch):
                rows += self._text.rows(item.pieces)
                self._after = item.seq
                continue
            await self._send_rows(rows, after, reading.last_seq)
            rows, after = [], item.last_seq
            await self._tell(gap_message(item))
            self._after = item.last_seq
        await self._send_rows(rows, after, reading.last_seq)

    async def _send_rows(self, rows: list[Row], after: int, last: int) -> None:
        if rows:
            self._sent += 1
            batch = {"t": "log", "n": self._sent, "after": after, "seq": self._after}
            await self._tell({**batch, "last": last, "rows": rows})

    async def _send_end(self) -> None:
        await self._tell({"t": "end", **await in_database(ending, self._grant.attempt_id)})

    async def _tell(self, message: dict[str, Any]) -> None:
        head = {"job": self._grant.job_id, "attempt": self._grant.number}
        await self._send({**message, **head})


def gap_message(gap: Gap) -> dict[str, Any]:
    """What is known to be missing from the store; there is nothing to load."""
    return {
        "t": "gap",
        "after": gap.first_seq - 1,
        "seq": gap.last_seq,
        "first_line": gap.first_line,
        "lines": gap.lines,
        "why": gap.why,
    }
