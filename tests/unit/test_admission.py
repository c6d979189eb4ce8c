"""At most so many requests at work; streams that have begun do not count."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from orchestrator.admission import Admission


class Request:
    """One request to an application that answers when it is told to."""

    def __init__(self, door: Admission, path: str = "/jobs") -> None:
        self.sent: list[Mapping[str, Any]] = []
        scope = {"type": "http", "path": path}
        self._task = asyncio.ensure_future(door(scope, asyncio.Event().wait, self._take))  # type: ignore[arg-type]

    async def _take(self, message: Mapping[str, Any]) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int | None:
        return self.sent[0]["status"] if self.sent else None

    async def ended(self) -> None:
        await asyncio.wait([self._task])


class Pages:
    """Answers begin and end when the test says so; `broken` raises instead."""

    def __init__(self) -> None:
        self.begin, self.finish = asyncio.Event(), asyncio.Event()
        self.broken = False

    async def __call__(self, scope: dict[str, Any], receive: object, send: Any) -> None:
        await self.begin.wait()
        if self.broken:
            raise RuntimeError("no answer")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await self.finish.wait()
        await send({"type": "http.response.body", "body": b""})


async def refusal(scope: dict[str, Any], receive: object, send: Any) -> None:
    await send({"type": "http.response.start", "status": 503, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_beyond_the_bound_the_answer_is_503_at_once() -> None:
    async def scenario() -> None:
        pages = Pages()
        door = Admission(pages, refusal, most=2)
        working = [Request(door), Request(door)]
        await settle()
        refused = Request(door)
        await refused.ended()
        assert refused.status == 503
        assert [request.status for request in working] == [None, None]
        pages.begin.set()
        await settle()
        assert [request.status for request in working] == [200, 200]
        pages.finish.set()
        for request in working:
            await request.ended()

    asyncio.run(scenario())


def test_a_stream_that_has_begun_holds_no_place_and_gives_back_only_one() -> None:
    async def scenario() -> None:
        pages = Pages()
        pages.begin.set()
        door = Admission(pages, refusal, most=1)
        streams = [Request(door) for _ in range(3)]
        await settle()
        assert [stream.status for stream in streams] == [200, 200, 200]
        pages.finish.set()
        for stream in streams:
            await stream.ended()
        pages.begin.clear()
        one, other = Request(door), Request(door)
        await other.ended()
        assert other.status == 503
        pages.begin.set()
        await one.ended()

    asyncio.run(scenario())


def test_a_request_that_fails_gives_its_place_back() -> None:
    async def scenario() -> None:
        pages = Pages()
        pages.begin.set()
        pages.broken = True
        door = Admission(pages, refusal, most=1)
        for _ in range(3):
            failing = Request(door)
            await failing.ended()
            assert failing.status is None
            assert isinstance(failing._task.exception(), RuntimeError)

    asyncio.run(scenario())


def test_health_is_answered_however_busy() -> None:
    async def scenario() -> None:
        pages = Pages()
        door = Admission(pages, refusal, most=0)
        probe = Request(door, "/health")
        pages.begin.set()
        pages.finish.set()
        await probe.ended()
        assert probe.status == 200

    asyncio.run(scenario())
