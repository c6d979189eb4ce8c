"""A test of a provider: each of its steps is told when it happens."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any, cast

import pytest

from orchestrator.loop.engine_request import answer_request
from orchestrator.store import Request, Site, Store
from providers.driver import (
    Capabilities,
    Driver,
    Health,
    LogBatch,
    LogFrame,
    Observation,
    Probe,
    Rejected,
    RunSpec,
    RunState,
    Stream,
)
from providers.leases import Fence
from tests.support.waiting import wait_until

HANDLE = {"v": 1, "id": "c"}


class Engine:
    """An engine whose program starts, prints and ends when it is told to."""

    capabilities = Capabilities("test", isolation=True)

    def __init__(self) -> None:
        self.may = {name: threading.Event() for name in ("start", "print", "end")}
        self.exit_code = 0
        self.refuses_start = False
        self.closed = False

    def _wait(self, name: str) -> None:
        assert self.may[name].wait(20), f"nobody let it {name}"

    def probe(self) -> Probe:
        return Probe(Health.HEALTHY, version="1.0")

    def create(self, spec: RunSpec) -> Mapping[str, Any]:
        return HANDLE

    def start(self, handle: Mapping[str, Any]) -> None:
        self._wait("start")
        if self.refuses_start:
            raise Rejected("could_not_start", "no such program")

    def logs(self, handle: Mapping[str, Any], cursor: object, *, follow: bool) -> Engine:
        return self

    def __iter__(self) -> Iterator[LogBatch]:
        self._wait("print")
        yield LogBatch((LogFrame(Stream.STDOUT, 1, b"hello\n", True, True),), {"n": 1})
        self._wait("end")

    def close(self) -> None:
        self.closed = True

    def observe(self, handle: Mapping[str, Any]) -> Observation:
        return Observation(RunState.EXITED, exit_code=self.exit_code)

    def remove(self, handle: Mapping[str, Any], *, force: bool) -> None:
        pass


class Told:
    """A host, and a store that remembers the last that it was told."""

    fence = Fence("provider:1", 1)
    site = Site(1, "node-1", "docker", {}, 1, None)
    instance = "test"

    def __init__(self, engine: Engine) -> None:
        self.driver = cast(Driver, engine)
        self.steps: dict[str, tuple[bool | None, str]] = {}
        self.over = False
        self.failed = False

    def step(self, name: str) -> tuple[bool | None, str] | None:
        """How far a step is, as it was told last."""
        return self.steps.get(name)

    def until(self, name: str, ok: bool | None, text: str) -> None:
        """Wait until that was told of a step."""
        wait_until(lambda: self.step(name) == (ok, text), 20, f"{name}: {text}")

    def until_over(self) -> None:
        wait_until(lambda: self.over, 20, "the end of the test")

    def probed(self, probe: Probe) -> None:
        pass

    def look_over(self) -> int:
        return 0

    def credential(self, image: str) -> None:
        return None

    def post(self, work: Callable[[Store], None], about: Hashable = None) -> None:
        work(cast(Store, self))

    def answer(self, fence: Fence, request: int, **told: Any) -> None:
        self.steps = {one["name"]: (one["ok"], one["text"]) for one in told["steps"]}
        self.failed = told["failed"]
        self.over = told["result"] is not None


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    for event in engine.may.values():
        event.set()


@pytest.fixture
def host(engine: Engine) -> Iterator[Told]:
    host = Told(engine)
    asked = Request(7, 1, "test", {})
    thread = threading.Thread(target=answer_request, args=(asked, host))
    thread.start()
    yield host
    for event in engine.may.values():
        event.set()
    thread.join(20)
    assert not thread.is_alive()


def test_each_step_of_a_test_is_told_when_it_happens(engine: Engine, host: Told) -> None:
    host.until("run", None, "its container is made")
    assert host.step("reach") == (True, "docker 1.0")
    engine.may["start"].set()
    host.until("run", None, "it has started")
    assert host.step("log") is None
    engine.may["print"].set()
    host.until("log", None, "hello")
    assert host.step("run") == (None, "it has started")
    engine.may["end"].set()
    host.until_over()
    assert host.step("run") == (True, "exit code 0")
    assert host.step("log") == (True, "hello")
    assert not host.failed
    assert engine.closed


def test_a_program_that_fails_fails_its_own_step_and_not_that_of_its_output(
    engine: Engine, host: Told
) -> None:
    engine.exit_code = 3
    for event in engine.may.values():
        event.set()
    host.until_over()
    assert host.step("run") == (False, "exit code 3")
    assert host.step("log") == (True, "hello")
    assert host.failed


def test_what_breaks_a_test_off_is_told_of_the_step_that_was_under_way(
    engine: Engine, host: Told
) -> None:
    engine.refuses_start = True
    engine.may["start"].set()
    host.until_over()
    assert host.step("run") == (None, "its container is made")
    assert host.step("failed") == (False, "no such program")
    assert host.failed
