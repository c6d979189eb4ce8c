"""A bound on HTTP requests at work in this process.

Daphne would run a thread for each of any number of requests, all waiting for a handful of
database connections. Beyond the bound the answer is an honest 503 at once, which needs neither
a thread nor the database (refusal.py).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

MOST_AT_WORK = 32
AT_REST = "gantry.at_rest"
"""In a request's scope: what to call when it begins to wait for news."""
CUT_OFF = "gantry.cut_off"
"""There too: what to call with the error when the answer fails after its beginning."""
PROBES = frozenset({"/health", "/ready"})
"""What asks for health: never refused, and answered by threads of its own (web_handler.py)."""

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Admission:
    """An ASGI application in front of another one, and of `refusal`, which answers the rest.

    A request is at work until its response begins, or until it says that it only waits:
    a log that is followed for hours and a wait for a job's end hold no place. Probes of
    health are always let in.
    """

    def __init__(
        self, application: Application, refusal: Application, most: int = MOST_AT_WORK
    ) -> None:
        self._application = application
        self._refusal = refusal
        self._most = most
        self._at_work = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] in PROBES:
            await self._application(scope, receive, send)
            return
        if self._at_work >= self._most:
            await self._refusal(scope, receive, send)
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
