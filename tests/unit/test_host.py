"""The host of a provider whose engine hangs, is slow, or has a clock of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from jobs.states import Phase
from orchestrator.loop.flusher import Flusher
from orchestrator.loop.host import ProviderHost
from orchestrator.loop.keeper import Keeper
from orchestrator.loop.log_writer import LogWriter
from orchestrator.reconcile import Wanted
from orchestrator.store import Order, Site, Store, StoreDown
from providers.driver import (
    Capabilities,
    Driver,
    Health,
    LogBatch,
    LogFrame,
    Observation,
    Probe,
    RunSpec,
    RunState,
    Stream,
    Unreachable,
)
from providers.leases import Fence
from tests.support.ledger import Ledger, always, never
from tests.support.waiting import wait_until

SPEC = RunSpec("test", job=3, attempt=1, uid="u", term=1, name="n", image="i")
HANDLE = {"v": 1, "id": "c"}
HOUR = timedelta(hours=1)


class Reading:
    """A log of one line."""

    def __iter__(self) -> Iterator[LogBatch]:
        yield LogBatch((LogFrame(Stream.STDOUT, 1, b"line\n", True, True),), {"n": 1})

    def close(self) -> None:
        pass


class Engine:
    """A driver whose calls wait at a gate: an engine that hangs until the gate is opened."""

    capabilities = Capabilities("test", isolation=True)

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.answers = threading.Event()
        """Probes are answered; set by whoever wants that."""
        self.offset_ms = 0
        self.inside = 0
        self.removals = 0
        self.refuses = threading.Event()
        self.stopped = threading.Event()
        self.closed = threading.Event()
        self.writes = False
        """Its programs have written something."""

    def probe(self) -> Probe:
        if self.answers.wait(0.01):
            return Probe(Health.HEALTHY, clock_offset_ms=self.offset_ms)
        return Probe(Health.UNREACHABLE, detail="silent")

    def list_owned(self) -> list[object]:
        return []

    def observe(self, handle: Mapping[str, Any]) -> Observation:
        self.inside += 1
        self.gate.wait(20)
        self.inside -= 1
        if self.closed.is_set():
            raise AssertionError("it was used after it was closed")
        return Observation(RunState.RUNNING)

    def logs(self, handle: object, cursor: object, *, follow: bool) -> Reading:
        if not self.writes:
            raise Unreachable("no log")
        return Reading()

    def stop(self, handle: object, grace_seconds: float) -> None:
        self.stopped.set()

    def remove(self, handle: object, *, force: bool) -> None:
        self.removals += 1
        if self.refuses.is_set():
            raise Unreachable("the answer to it was lost")
        self.gate.wait(20)

    def close(self) -> None:
        self.closed.set()


class TestDesk:
    """Keeps what is posted, as a desk does whose database is away."""

    __test__ = False

    def __init__(self) -> None:
        self.work: dict[Hashable, Callable[[Store], None]] = {}

    def post(self, work: Callable[[Store], None], about: Hashable = None) -> None:
        self.work[about] = work


class Rows:
    """What a comparison reads: where live attempts stand, and whole those it asks for."""

    def __init__(self, *live: Order) -> None:
        self.live_now = live
        self.read: list[int] = []

    def wanted(self, provider: int) -> list[Wanted]:
        return [Wanted(o.attempt, o.run.uid, o.phase) for o in self.live_now]

    def orders(self, attempts: Collection[int]) -> list[Order]:
        self.read += attempts
        return [o for o in self.live_now if o.attempt in attempts]

    def strays_gone(self, fence: Fence, provider: int, present: Collection[str]) -> None:
        pass

    def leftovers(self, provider: int) -> list[object]:
        return []


class TestKeeper:
    """Always trusted."""

    __test__ = False
    holder = "me"

    def trusted(self, fence: Fence) -> bool:
        return True


@pytest.fixture
def engine() -> Iterator[Engine]:
    made = Engine()
    yield made
    made.gate.set()
    made.answers.set()


@pytest.fixture
def desk() -> TestDesk:
    return TestDesk()


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def host(engine: Engine, desk: TestDesk, ledger: Ledger) -> Iterator[ProviderHost]:
    store = cast(Store, ledger)
    logs = LogWriter(store)
    logs.start(lambda name: None)
    flusher = Flusher(store, freed=never, plans_here=always(True))
    flusher.start(lambda name: None)
    made = ProviderHost(
        Site(1, "here", "test", {}, 1),
        Fence("provider:1", 1),
        cast(Driver, engine),
        keeper=cast(Keeper, TestKeeper()),
        flusher=flusher,
        logs=logs,
        desk=desk,
        instance="test",
    )
    yield made
    made.close()
    engine.gate.set()
    assert made.join(10), "it lets go"
    for service in (flusher, logs):
        service.stop()
        service.join(5)


def running(attempt: int, started_at: datetime | None = None) -> Order:
    return Order(
        attempt=attempt, job=3, provider=1, phase=Phase.RUNNING, run=SPEC,
        timeout_seconds=600, handle=HANDLE, started_at=started_at,
    )  # fmt: skip


def test_a_host_that_is_closed_waits_for_nothing_and_releases_its_driver_when_its_calls_end(
    host: ProviderHost, engine: Engine
) -> None:
    host.take([running(attempt) for attempt in range(5)])
    wait_until(lambda: engine.inside == 5, 5, "five threads hang in the engine")
    host.close()
    assert not host.join(0.05)
    assert not engine.closed.is_set()
    engine.gate.set()
    assert host.join(10)
    assert engine.closed.is_set()
    alive = [t.name for t in threading.enumerate() if "here" in t.name or "attempt" in t.name]
    assert alive == []


def test_what_is_handed_over_while_a_host_lets_go_is_not_begun(
    host: ProviderHost, engine: Engine
) -> None:
    host.close()
    engine.gate.set()
    assert host.join(10)
    host._ending.clear()  # as its caller has seen it, a moment before
    begun: list[str] = []
    host.in_background(lambda: begun.append("a removal"))
    host.in_stopping(lambda: begun.append("a stop"))
    assert begun == []


def answer(engine: Engine, host: ProviderHost) -> None:
    """From now on the engine answers, and the host knows: its first probe may have failed."""
    engine.answers.set()
    wait_until(lambda: host._clock_offset is not None, 20, "a probe is answered")


def test_a_removal_that_takes_its_time_is_not_asked_for_again_and_again(
    host: ProviderHost, engine: Engine
) -> None:
    answer(engine, host)
    for _ in range(50):
        host.remove_later(5, HANDLE)
    wait_until(lambda: engine.removals == 1, 5, "it is removed")
    host.remove_later(6, HANDLE)
    wait_until(lambda: engine.removals == 2, 5, "the other one, too")
    engine.gate.set()


def test_removals_are_told_together_and_again_when_the_store_was_away(
    host: ProviderHost, engine: Engine, desk: TestDesk
) -> None:
    answer(engine, host)
    engine.gate.set()
    for attempt in (5, 6, 7):
        host.remove_later(attempt, HANDLE)
    wait_until(lambda: len(host._removals._done) == 3, 5, "all are removed")
    tell = desk.work["removed", host.fence]
    told: list[list[int]] = []

    class Away:
        def removed(self, fence: Fence, attempts: Collection[int]) -> None:
            raise StoreDown("away")

    class There:
        def removed(self, fence: Fence, attempts: Collection[int]) -> None:
            told.append(sorted(attempts))

    with pytest.raises(StoreDown):
        tell(cast(Store, Away()))
    tell(cast(Store, There()))
    tell(cast(Store, There()))
    assert told == [[5, 6, 7]]


def test_a_removal_that_failed_is_tried_again_at_the_next_look(
    host: ProviderHost, engine: Engine
) -> None:
    answer(engine, host)
    engine.refuses.set()
    host.remove_later(5, HANDLE)
    wait_until(lambda: engine.removals == 1, 5, "it is tried")
    engine.refuses.clear()

    def tried_again() -> bool:
        host.remove_later(5, HANDLE)  # as each look does
        return engine.removals == 2

    wait_until(tried_again, 5, "it is tried again")
    engine.gate.set()


def test_no_call_is_made_for_a_removal_while_the_engine_is_known_not_to_answer(
    host: ProviderHost, engine: Engine
) -> None:
    host.note_unreachable(Unreachable("silent"))
    for attempt in range(40):
        host.remove_later(attempt, HANDLE)
    host.close()
    assert host.join(10)
    assert engine.removals == 0


@pytest.mark.parametrize("skew", [-HOUR, HOUR])
def test_a_time_limit_is_by_the_engines_clock_however_far_that_is_from_ours(
    host: ProviderHost, engine: Engine, skew: timedelta
) -> None:
    engine.gate.set()
    engine.offset_ms = int(skew.total_seconds() * 1000)
    started = datetime.now(UTC) + skew
    host.take([running(1, started_at=started)])
    # an hour wrong either way; before the engine's clock is known nobody is stopped
    host.tick()
    engine.answers.set()
    wait_until(lambda: abs(host.engine_now() - started) < HOUR / 60, 5, "its clock is known")
    host.tick()
    assert not engine.stopped.wait(0.2)
    host.take([running(2, started_at=started - timedelta(seconds=601))])
    host.tick()
    assert engine.stopped.wait(5), "the overdue one is stopped"


def test_an_engine_that_is_back_but_does_not_tell_of_one_attempt_leaves_its_mark(
    host: ProviderHost, engine: Engine, desk: TestDesk
) -> None:
    engine.answers.set()
    wait_until(lambda: host._clock_offset is not None, 5, "a probe is answered")
    host.take([running(5)])
    wait_until(lambda: engine.inside == 1, 5, "it is asked for, and not told")
    host._runs[5]._contact._marked = "its inspect fails"
    told = ("unseen", host.fence)
    desk.work.clear()
    host.probed(Probe(Health.UNREACHABLE, "away"))
    assert desk.work.pop(told, None)
    host.probed(Probe(Health.HEALTHY))
    assert told not in desk.work


def test_a_comparison_reads_whole_only_what_nobody_drives(
    host: ProviderHost, engine: Engine, desk: TestDesk
) -> None:
    engine.answers.set()
    mine, nobodys = running(1), running(2)
    host.take([mine])
    wait_until(lambda: engine.inside == 1, 5, "it is driven")
    host.look_over()
    rows = Rows(mine, nobodys)
    desk.work["compare", host.fence](cast(Store, rows))
    wait_until(lambda: engine.inside == 2, 5, "the other is taken up")
    assert rows.read == [2]


def test_a_log_that_no_database_takes_ends_its_attempt_after_some_tries_in_plain_words(
    host: ProviderHost, engine: Engine, ledger: Ledger
) -> None:
    engine.gate.set()
    engine.answers.set()
    engine.writes = True
    ledger.at[1] = Phase.RUNNING
    ledger.poisonous_logs.add(1)

    def ended() -> bool:
        host.take([running(1)])  # as each comparison does with what nobody drives
        return 1 in ledger.endings

    wait_until(ended, 10, "it is given up")
    ending = ledger.endings[1]
    assert ending.reason == "gantry_failed"
    assert "its output cannot be stored: Poison" in ending.detail["message"]
