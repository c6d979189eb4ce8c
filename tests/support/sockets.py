"""A browser's end of a websocket, for tests: it speaks ASGI with the application itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from django.conf import settings

from orchestrator.consumers import live_socket
from orchestrator.relay import relay
from projects.hub import hub

Application = Callable[..., Awaitable[None]]
DEADLINE_SECONDS = 10.0


class BrowserSocket:
    """Sends and awaits messages; keeps what came and was not asked for."""

    def __init__(self, application: Application, scope: dict[str, Any]) -> None:
        self._to_server: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
        self._from_server: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
        self.seen: list[dict[str, Any]] = []
        self.close_code: int | None = None
        self._task = asyncio.ensure_future(
            application(scope, self._to_server.get, self._from_server.put)
        )
        self._to_server.put_nowait({"type": "websocket.connect"})

    def say(self, op: str, **fields: Any) -> None:
        """Send a message of ours."""
        self.say_text(json.dumps({"op": op, **fields}))

    def say_text(self, text: str) -> None:
        """Send whatever text."""
        self._to_server.put_nowait({"type": "websocket.receive", "text": text})

    async def hear(self, kind: str, deadline: float = DEADLINE_SECONDS) -> dict[str, Any]:
        """The next message of that kind; those before it stay in `seen`."""
        try:
            async with asyncio.timeout(deadline):
                while True:
                    message = await self._next()
                    if message["t"] == kind:
                        return message
        except TimeoutError:
            raise AssertionError(f"no {kind!r} within {deadline} s; saw {self.seen}") from None

    async def hear_any(self, deadline: float = DEADLINE_SECONDS) -> dict[str, Any]:
        """The next message, of whatever kind."""
        async with asyncio.timeout(deadline):
            return await self._next()

    async def closed(self, deadline: float = DEADLINE_SECONDS) -> int:
        """Wait until the server closes; the code."""
        async with asyncio.timeout(deadline):
            while self.close_code is None:
                await self._read()
        return self.close_code

    async def heard_within(self, seconds: float) -> list[dict[str, Any]]:
        """All messages that come in that time."""
        heard = []
        try:
            async with asyncio.timeout(seconds):
                while True:
                    heard.append(await self._next())
        except TimeoutError:
            return heard

    async def leave(self) -> None:
        """The browser goes away."""
        self._to_server.put_nowait({"type": "websocket.disconnect", "code": 1001})
        async with asyncio.timeout(DEADLINE_SECONDS):
            await self._task

    async def _next(self) -> dict[str, Any]:
        while True:
            message = await self._read()
            if message is not None:
                return message

    async def _read(self) -> dict[str, Any] | None:
        event = await self._from_server.get()
        if event["type"] == "websocket.close":
            self.close_code = event.get("code", 1000)
            return None
        if event["type"] != "websocket.send":
            return None
        message: dict[str, Any] = json.loads(event["text"])
        self.seen.append(message)
        return message


def scope_of(session_key: str = "", *, origin: str | None = "own") -> dict[str, Any]:
    """The scope of a handshake by a page of ours, or of another origin (None: no header)."""
    headers = [(b"host", b"localhost")]
    if origin is not None:
        shown = settings.PUBLIC_URL if origin == "own" else origin
        headers.append((b"origin", shown.encode()))
    if session_key:
        headers.append((b"cookie", f"{settings.SESSION_COOKIE_NAME}={session_key}".encode()))
    return {"type": "websocket", "path": "/ws/live", "headers": headers}


@asynccontextmanager
async def live(session_key: str, **scope: Any) -> AsyncIterator[BrowserSocket]:
    """A socket that has been greeted, with the relay listening."""
    hub.start_with(relay.ensure_running)
    browser = BrowserSocket(live_socket, scope_of(session_key, **scope))
    try:
        await browser.hear("hello")
        async with asyncio.timeout(DEADLINE_SECONDS):
            await relay.until_listening()
        yield browser
    finally:
        await browser.leave()
        await relay.stop()
