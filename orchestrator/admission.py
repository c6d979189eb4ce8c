"""A bound on HTTP requests at work in this process.

Daphne would run a thread for each of any number of requests, all waiting for a handful of
database connections. Beyond the bound the answer is an honest 503 at once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

MOST_AT_WORK = 32
RETRY_SECONDS = 2
AT_REST = "gantry.at_rest"
"""In a request's scope: what to call when it begins to wait for news."""
PROBES = frozenset({"/health", "/ready"})
"""What asks for health: never refused, and answered by threads of its own (web_handler.py)."""
_BUSY = b"Gantry is busy: too many requests at once. Please try again in a moment.\n"

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Admission:
    """An ASGI application in front of another one.

    A request is at work until its response begins, or until it says that it only waits:
    a log that is followed for hours and a wait for a job's end hold no place. Probes of
    health are always let in.
    """

    def __init__(self, application: Application, most: int = MOST_AT_WORK) -> None:
        self._application = application
        self._most = most
        self._at_work = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] in PROBES:
            await self._application(scope, receive, send)
            return
        if self._at_work >= self._most:
            await _refuse(send)
            return
        held = True
        self._at_work += 1

        def release() -> None:
            nonlocal held
            if held:
                held = False
                self._at_work -= 1

        async def watched(message: Mapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                release()
            await send(message)

        try:
            await self._application({**scope, AT_REST: release}, receive, watched)
        finally:
            release()


async def _refuse(send: Send) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(_BUSY)).encode()),
        (b"retry-after", str(RETRY_SECONDS).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": _BUSY})
