"""A client's end of an HTTP request over ASGI, for answers that come bit by bit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from orchestrator.admission import Application
from orchestrator.web_handler import WebHandler

DEADLINE_SECONDS = 20.0


class Reply:
    """An answer whose body is still coming."""

    def __init__(self, events: asyncio.Queue[Mapping[str, Any]], start: Mapping[str, Any]) -> None:
        self._events = events
        self.status: int = start["status"]
        self.headers = {k.decode().lower(): v.decode() for k, v in start["headers"]}
        self.received = b""
        self.ended = False

    async def read_until(self, part: bytes) -> bytes:
        """Everything so far, once it contains that part."""
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                while part not in self.received and not self.ended:
                    await self._more()
        except TimeoutError:
            raise AssertionError(f"no {part!r} in {self.received[-500:]!r}") from None
        assert part in self.received, f"ended without {part!r}: {self.received[-500:]!r}"
        return self.received

    async def read_all(self) -> bytes:
        """The whole body, once it has ended."""
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                while not self.ended:
                    await self._more()
        except TimeoutError:
            raise AssertionError(f"not ended after {self.received[-500:]!r}") from None
        return self.received

    async def _more(self) -> None:
        event = await self._events.get()
        self.received += event.get("body", b"")
        self.ended = not event.get("more_body", False)


def scope_of(
    path: str, query: str = "", headers: Mapping[str, str] | None = None, method: str = "GET"
) -> dict[str, Any]:
    """A request as a server tells an application of it."""
    return {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [
            (b"host", b"localhost"),
            *((k.lower().encode(), v.encode()) for k, v in (headers or {}).items()),
        ],
    }


@asynccontextmanager
async def requested(
    path: str,
    query: str = "",
    headers: Mapping[str, str] | None = None,
    application: Application | None = None,
    method: str = "GET",
) -> AsyncIterator[Reply]:
    """Ask for an address; at the end of the block the client hangs up."""
    events: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
    incoming: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
    incoming.put_nowait({"type": "http.request", "body": b"", "more_body": False})
    scope = scope_of(path, query, headers, method)
    application = application or WebHandler()
    answering: Any = application(scope, incoming.get, events.put)
    task = asyncio.ensure_future(answering)
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            start = await events.get()
        yield Reply(events, start)
    finally:
        incoming.put_nowait({"type": "http.disconnect"})
        async with asyncio.timeout(DEADLINE_SECONDS):
            await asyncio.gather(task, return_exceptions=True)
