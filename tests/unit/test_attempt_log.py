"""Reading what is left of a log once the program has ended: whole, or told to be cut."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from datetime import UTC, datetime
from time import monotonic
from typing import Any, cast

import pytest

from jobs.log.frames import Position
from jobs.states import Phase
from orchestrator.loop import attempt_log, late_end
from orchestrator.loop.attempt_log import AttemptLog
from orchestrator.loop.host_view import GivenUp, HostView
from orchestrator.loop.log_writer import LogSink, LogWriter
from orchestrator.store import Order, Store
from providers.driver import (
    EngineFault,
    LogBatch,
    LogFrame,
    Observation,
    RunSpec,
    RunState,
    Stream,
    Unreachable,
)
from providers.leases import Fence
from tests.support.ledger import Ledger, never
from tests.support.waiting import wait_until

HANDLE = {"v": 1, "id": "x"}
RUN = RunSpec("instance", 1, 1, "uid", 1, "job", "image")
ORDER = Order(1, 1, 1, Phase.RUNNING, RUN, 60.0)


class Reading:
    """A stream of one line, that breaks off at first as often as it is told."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __iter__(self) -> Iterator[LogBatch]:
        self._engine.readings += 1
        if self._engine.readings <= self._engine.breaks:
            raise Unreachable("connection refused")
        yield LogBatch((LogFrame(Stream.STDOUT, 1, b"line\n", True, True),), {"n": 1})

    def close(self) -> None:
        pass


class Engine:
    """The host and its driver, as far as a log asks them."""

    def __init__(self, breaks: int = 0) -> None:
        self.breaks = breaks
        self.readings = 0
        self.noted = 0
        self.driver = self

    def logs(self, handle: Any, cursor: Any, *, follow: bool) -> Reading:
        return Reading(self)

    def note_unreachable(self, error: Unreachable) -> None:
        self.noted += 1

    def lost_contact(self, error: Unreachable) -> None:
        raise AssertionError("the end is known: nobody waits for the engine without limit")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt_log, "DRAIN_SECONDS", 0.3)
    monkeypatch.setattr(attempt_log, "RETRY_SECONDS", 0.02)


@pytest.fixture
def writer() -> Iterator[LogWriter]:
    writer = LogWriter(cast(Store, Ledger()))
    writer.start(lambda name: None)
    yield writer
    writer.stop()
    assert writer.join(5)


def log_of(engine: Engine, sink: LogSink) -> AttemptLog:
    return AttemptLog(ORDER, cast(HostView, engine), sink)


def sink_of(writer: LogWriter) -> LogSink:
    return writer.sink(1, Fence("provider:1", 1), Position())


def test_what_is_left_is_read_and_stored(writer: LogWriter) -> None:
    log = log_of(Engine(), sink_of(writer))
    assert log.drain(HANDLE, there=True, lasting=never)
    assert log.note == ""


def test_an_engine_that_comes_back_in_time_gives_the_whole_log(writer: LogWriter) -> None:
    engine = Engine(breaks=3)
    log = log_of(engine, sink_of(writer))
    assert log.drain(HANDLE, there=True, lasting=never)
    assert (engine.readings, engine.noted, log.note) == (4, 3, "")


def test_an_engine_that_stays_away_is_given_up_after_the_limit_and_that_is_told(
    writer: LogWriter,
) -> None:
    log = log_of(Engine(breaks=10**9), sink_of(writer))
    assert not log.drain(HANDLE, there=True, lasting=never)
    assert log.note == "the engine did not give the rest of it: connection refused"


class Flood:
    """The engine of a program that wrote `lines`, long ago, and has ended. One reading gives
    at most `each` lines before it breaks; a followed one waits at their end."""

    def __init__(self, lines: int, *, each: int = 10**9, state: RunState = RunState.EXITED) -> None:
        self.lines = lines
        self.each = each
        self.state = state
        self.looks = 0
        self.driver = self
        self.followed: list[int] = []

    def logs(self, handle: Any, cursor: Any, *, follow: bool) -> FloodReading:
        return FloodReading(self, cursor["n"] if cursor else 0, follow)

    def observe(self, handle: Any) -> Observation:
        self.looks += 1
        return Observation(self.state)

    def engine_now(self) -> datetime:
        return datetime.now(UTC)

    def note_unreachable(self, error: Unreachable) -> None:
        pass


class FloodReading:
    """One reading of it, a line a batch."""

    def __init__(self, flood: Flood, after: int, follow: bool) -> None:
        self._flood = flood
        self._after = after
        self._follow = follow

    def __iter__(self) -> Iterator[LogBatch]:
        flood = self._flood
        for number in range(self._after + 1, flood.lines + 1):
            if number > self._after + flood.each:
                raise Unreachable("the connection was cut")
            if self._follow:
                flood.followed.append(number)
            yield LogBatch((LogFrame(Stream.STDOUT, 1, b"line\n", True, True),), {"n": number})

    def close(self) -> None:
        pass


def test_following_ends_when_the_program_is_seen_to_have_ended_and_the_rest_is_drained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(late_end, "LOOK_SECONDS", 0.0)
    ledger, flood = Ledger(), Flood(50)
    writer = LogWriter(cast(Store, ledger))
    writer.start(lambda name: None)
    log = AttemptLog(ORDER, cast(HostView, flood), sink_of(writer))
    log.read(HANDLE, follow=True)
    assert flood.followed == [1]
    assert log.drain(HANDLE, there=True, lasting=never)
    writer.stop()
    assert writer.join(5)
    assert ledger.appends[-1].after.lines == 50


@pytest.mark.parametrize("failing", [False, True])
def test_a_program_that_runs_is_followed_however_far_its_reading_lags(
    failing: bool, writer: LogWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(late_end, "LOOK_SECONDS", 0.0)
    flood = Flood(20, state=RunState.RUNNING)
    if failing:

        def observe(handle: Any) -> Observation:
            raise EngineFault("its inspect fails")

        monkeypatch.setattr(flood, "observe", observe)
    AttemptLog(ORDER, cast(HostView, flood), sink_of(writer)).read(HANDLE, follow=True)
    assert flood.followed == list(range(1, 21))


def test_an_engine_is_not_asked_while_its_reading_keeps_up_or_was_looked_at_just_before(
    writer: LogWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    flood = Flood(20)
    log = AttemptLog(ORDER, cast(HostView, flood), sink_of(writer))
    log.read(HANDLE, follow=True)
    monkeypatch.setattr(late_end, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(late_end, "LAG_SECONDS", 1e12)
    AttemptLog(ORDER, cast(HostView, flood), sink_of(writer)).read(HANDLE, follow=True)
    assert (flood.looks, len(flood.followed)) == (0, 40)


def test_an_engine_that_gives_a_little_more_each_time_gives_the_whole_log(
    writer: LogWriter,
) -> None:
    """In more time than an engine has that gives nothing."""
    log = AttemptLog(ORDER, cast(HostView, Flood(40, each=1)), sink_of(writer))
    began = monotonic()
    assert log.drain(HANDLE, there=True, lasting=never)
    assert monotonic() > began + 2 * attempt_log.DRAIN_SECONDS
    assert log.note == ""


def test_a_container_that_is_gone_is_not_read_and_that_is_told(writer: LogWriter) -> None:
    engine = Engine()
    log = log_of(engine, sink_of(writer))
    assert not log.drain(HANDLE, there=False, lasting=never)
    assert engine.readings == 0
    assert "gone" in log.note


def test_a_database_that_is_away_makes_no_log_incomplete() -> None:
    """Not even for longer than the limit: nothing is lost by waiting for it."""
    writer = LogWriter(cast(Store, Ledger()))  # not started: nothing is written
    log = log_of(Engine(), sink_of(writer))
    answer: Future[bool] = Future()
    drain = threading.Thread(
        target=lambda: answer.set_result(log.drain(HANDLE, there=True, lasting=never))
    )
    drain.start()
    try:
        with pytest.raises(TimeoutError):
            answer.result(3 * attempt_log.DRAIN_SECONDS)
    finally:
        writer.finish()
    assert answer.result(5) is True
    assert log.note == ""
    drain.join(5)


def test_a_log_that_is_let_go_while_the_engine_is_away_stays_for_the_next_owner(
    writer: LogWriter,
) -> None:
    engine = Engine(breaks=10**9)
    log = log_of(engine, sink_of(writer))
    answer: Future[bool] = Future()

    def drain() -> None:
        try:
            answer.set_result(log.drain(HANDLE, there=True, lasting=never))
        except GivenUp as let_go:
            answer.set_exception(let_go)

    thread = threading.Thread(target=drain)
    thread.start()
    wait_until(lambda: engine.readings > 1, 5, "it has tried")
    log.detach()
    with pytest.raises(GivenUp):
        answer.result(5)
    thread.join(5)
