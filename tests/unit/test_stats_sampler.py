"""Measuring what attempts use: few at a time, in nobody's way, and only where it can be."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

import pytest

from jobs.log.frames import Position
from orchestrator.loop import stats_sampler
from orchestrator.loop.log_writer import LogSink, LogWriter
from orchestrator.loop.stats_sampler import EVERY_SECONDS, THREADS, StatsSampler, step_seconds
from orchestrator.store import Store
from providers.driver import Capabilities, Driver, Handle, StatsSample, Unreachable
from providers.leases import Fence
from tests.support.ledger import Ledger
from tests.support.waiting import wait_until

FENCE = Fence("provider:1", 1)
ABLE = Capabilities("test", isolation=True, stats=True)
MIB = 2**20


class Meter:
    """A driver that only measures. `gate` shut: its engine hangs."""

    def __init__(self) -> None:
        self.capabilities = ABLE
        self.asked: list[Any] = []
        self.gate = threading.Event()
        self.gate.set()
        self.answer: StatsSample | Exception | None = None

    def stats(self, handle: Handle) -> StatsSample | None:
        self.asked.append(handle["id"])
        assert self.gate.wait(10)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer or StatsSample(datetime.now(UTC), 0.5, handle["id"] * MIB)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The sampler's clock, which the test sets."""
    now = [1000.0]
    monkeypatch.setattr(stats_sampler, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def meter() -> Meter:
    return Meter()


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def logs(ledger: Ledger) -> LogWriter:
    return LogWriter(cast(Store, ledger))


@pytest.fixture
def sampler(meter: Meter, logs: LogWriter, clock: list[float]) -> Iterator[StatsSampler]:
    made = StatsSampler("here", cast(Driver, meter), logs)
    yield made
    meter.gate.set()
    made.close()


def running(sampler: StatsSampler, logs: LogWriter, number: int) -> LogSink:
    sink = sampler.watch(logs.sink(number, FENCE, Position()))
    sink.following = {"id": number}
    return sink


def measured(ledger: Ledger, logs: LogWriter) -> list[int]:
    logs.run_once()
    return [m.attempt for m in ledger.measured]


def asked(meter: Meter, count: int) -> bool:
    return len(meter.asked) == count


def kept(ledger: Ledger, logs: LogWriter, count: int) -> bool:
    return len(measured(ledger, logs)) == count


def test_what_runs_is_measured_after_a_second_and_then_each_5_s(
    sampler: StatsSampler, logs: LogWriter, ledger: Ledger, meter: Meter, clock: list[float]
) -> None:
    sink = running(sampler, logs, 7)
    sampler.tick()
    assert meter.asked == []
    for count in (1, 2, 3):
        clock[0] += EVERY_SECONDS
        sampler.tick()
        wait_until(partial(asked, meter, count), 10, "it is asked")
        sampler.tick()
        wait_until(partial(kept, ledger, logs, count), 10, "its reading is kept")
        clock[0] += 1
        sampler.tick()
        assert len(meter.asked) == count
        clock[0] -= 1
    assert {m.reading.memory_bytes for m in ledger.measured} == {7 * MIB}
    assert ledger.measured[0].reading.cpu_millis == 500
    sink.following = None
    clock[0] += EVERY_SECONDS
    sampler.tick()
    assert len(meter.asked) == 3


def test_an_engine_that_hangs_holds_up_a_few_threads_and_no_tick(
    sampler: StatsSampler, logs: LogWriter, ledger: Ledger, meter: Meter, clock: list[float]
) -> None:
    sinks = [running(sampler, logs, n) for n in range(1, 3 * THREADS)]
    meter.gate.clear()
    sampler.tick()
    for _ in range(5):
        clock[0] += EVERY_SECONDS
        sampler.tick()
    wait_until(lambda: len(meter.asked) == THREADS, 10, "its threads wait")
    meter.gate.set()
    wait_until(lambda: len(measured(ledger, logs)) == len(sinks), 10, "each is measured once")
    assert sorted(meter.asked) == [sink.attempt for sink in sinks]


def test_what_cannot_be_measured_now_is_tried_again(
    sampler: StatsSampler, logs: LogWriter, ledger: Ledger, meter: Meter, clock: list[float]
) -> None:
    sink = running(sampler, logs, 1)
    sampler.tick()
    for answer in (Unreachable("away"), KeyError("no field of that name"), None):
        meter.answer = answer
        before = len(meter.asked)
        clock[0] += EVERY_SECONDS
        sampler.tick()
        wait_until(partial(asked, meter, before + 1), 10, "it is asked")
        wait_until(lambda: not sampler._subjects[sink.attempt].asked, 10, "its answer is taken")
    assert measured(ledger, logs) == [1]


def test_a_driver_without_the_ability_is_never_asked(logs: LogWriter, clock: list[float]) -> None:
    meter = Meter()
    meter.capabilities = replace(ABLE, stats=False)
    sampler = StatsSampler("here", cast(Driver, meter), logs)
    running(sampler, logs, 1)
    for _ in range(3):
        clock[0] += EVERY_SECONDS
        sampler.tick()
    assert meter.asked == []


def test_an_attempt_that_was_let_go_is_forgotten(
    sampler: StatsSampler, logs: LogWriter, meter: Meter, clock: list[float]
) -> None:
    running(sampler, logs, 1)  # nobody else holds it
    clock[0] += EVERY_SECONDS
    sampler.tick()
    assert meter.asked == []


@pytest.mark.parametrize(
    ("measured_for", "step"), [(0, 5), (3599, 5), (3600, 10), (7200, 20), (14_400, 40), (1e6, 80)]
)
def test_a_long_run_is_kept_in_less_detail(measured_for: float, step: float) -> None:
    assert step_seconds(measured_for) == step


def test_a_host_may_let_go_in_the_midst_of_a_tick(
    sampler: StatsSampler, logs: LogWriter, meter: Meter, monkeypatch: pytest.MonkeyPatch
) -> None:
    sinks = [running(sampler, logs, 1)]
    sampler.tick()

    def closing() -> float:
        sampler.close()
        return 2000.0

    monkeypatch.setattr(stats_sampler, "monotonic", closing)
    sampler.tick()
    sampler.join()
    assert meter.asked == []
    assert sinks[0].following is not None
