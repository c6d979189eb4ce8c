"""An attempt ends when its program has, whatever else does not answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from jobs.log.frames import Position
from jobs.states import Outcome, Phase
from jobs.transitions import Move, Written
from orchestrator.loop import attempt_contact, attempt_log, attempt_stop, late_end
from orchestrator.loop.attempt_log import AttemptLog
from orchestrator.loop.attempt_run import AttemptRun
from orchestrator.loop.host_view import GivenUp, HostView
from orchestrator.loop.log_writer import LogWriter
from orchestrator.store import CancelWish, Order, Store
from providers.driver import (
    EngineFault,
    Handle,
    LogBatch,
    LogFrame,
    Observation,
    Rejected,
    RunSpec,
    RunState,
    Stream,
    Unreachable,
)
from providers.leases import Fence
from tests.support.ledger import Ledger, never

RUNNING = Observation(RunState.RUNNING)
EXITED = Observation(RunState.EXITED, exit_code=0)
SPEC = RunSpec(
    instance="test", job=3, attempt=1, uid="u", term=1, name="n", image="i", entrypoint=()
)

RUNNING_ORDER = Order(
    attempt=5, job=3, provider=1, phase=Phase.RUNNING, run=SPEC, timeout_seconds=60,
    handle={"v": 1, "id": "c"},
)  # fmt: skip


class Engine:
    """A driver that tells states but gives no log."""

    def __init__(self, states: Sequence[Observation | Unreachable]) -> None:
        self.states = list(states)

    def observe(self, handle: Mapping[str, Any]) -> Observation:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if isinstance(state, Unreachable):
            raise state
        return state

    def logs(self, handle: Mapping[str, Any], cursor: object, *, follow: bool) -> object:
        raise Unreachable("could not read the log: it is broken")


class Host:
    """Takes every move; contact that is lost is back at once."""

    fence = Fence("provider:1", 1)
    starts = threading.Semaphore(1)

    def __init__(self, driver: Engine) -> None:
        self.driver = driver
        self.asked: list[Move] = []
        self.lost = 0

    def submit(self, moves: Sequence[Move]) -> list[Future[Written]]:
        self.asked += moves
        futures: list[Future[Written]] = [Future() for _ in moves]
        for future in futures:
            future.set_result(Written.DONE)
        return futures

    def lost_contact(self, error: Unreachable) -> None:
        self.lost += 1
        assert self.lost < 100, "it asks for ever"

    def note_unreachable(self, error: Unreachable) -> None:
        pass

    def check_reach(self) -> None:
        pass

    def engine_time(self, at: datetime) -> datetime:
        return at

    def engine_now(self) -> datetime:
        return datetime.now(UTC)

    def remove_later(self, attempt: int, handle: object) -> None:
        pass


@pytest.mark.parametrize(
    "states",
    [
        [RUNNING, RUNNING, EXITED],
        [RUNNING, RUNNING, RUNNING, Unreachable("away"), EXITED],
    ],
)
def test_a_program_whose_log_cannot_be_read_ends_all_the_same(
    states: list[Observation | Unreachable], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt_log, "DRAIN_SECONDS", -1.0)
    host = Host(Engine(states))
    sink = LogWriter(cast(Store, Ledger())).sink(5, host.fence, Position())
    AttemptRun(RUNNING_ORDER, cast(HostView, host), sink).run()
    assert [move.to for move in host.asked] == [Phase.FINISHING, Phase.ENDED]
    assert host.asked[-1].log_complete is False
    assert host.asked[-1].ending is not None
    assert host.asked[-1].ending.reason == "succeeded"


class Silent(Host):
    """Its engine answers probes, and nothing else, for hours."""

    def __init__(self, driver: Engine) -> None:
        super().__init__(driver)
        self.sights: list[tuple[bool, str]] = []

    def post(self, work: Callable[[Store], None], about: object = None) -> None:
        work(cast(Store, self))

    def unseen(self, fence: Fence, attempts: Sequence[int], *, unseen: bool, why: str) -> None:
        assert attempts == [5]
        self.sights.append((unseen, why))

    def lost_contact(self, error: Unreachable) -> None:
        self.lost += 1


def test_an_engine_that_does_not_tell_its_state_for_hours_is_asked_until_it_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attempt_contact, "LONGEST_PAUSE", 0.0)
    monkeypatch.setattr(attempt_log, "DRAIN_SECONDS", -1.0)
    host = Silent(Engine([RUNNING, *[Unreachable("away")] * 1200, EXITED]))
    sink = LogWriter(cast(Store, Ledger())).sink(5, host.fence, Position())
    AttemptRun(RUNNING_ORDER, cast(HostView, host), sink).run()
    assert host.lost == 1200
    # Told when it changes: so it can be force-finished meanwhile.
    assert host.sights == [(True, "away"), (False, "")]
    assert host.asked[-1].ending is not None
    assert host.asked[-1].ending.reason == "succeeded"


def test_one_that_is_taken_over_from_an_engine_that_does_not_tell_of_it_is_asked_less_and_less(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(AttemptLog, "pause", lambda log, seconds: pauses.append(seconds))
    monkeypatch.setattr(attempt_log, "DRAIN_SECONDS", -1.0)
    faults = [EngineFault("its inspect fails")] * 100
    host = Silent(Engine([*faults, EXITED]))
    sink = LogWriter(cast(Store, Ledger())).sink(5, host.fence, Position())
    AttemptRun(RUNNING_ORDER, cast(HostView, host), sink).run()
    assert pauses[:100] == sorted(pauses[:100])
    assert pauses[99] == attempt_contact.LONGEST_PAUSE
    assert host.sights == [(True, "its inspect fails"), (False, "")]
    assert host.asked[-1].to is Phase.ENDED


class Stoppable(Engine):
    """Runs until it is stopped."""

    def __init__(self) -> None:
        super().__init__([RUNNING])

    def stop(self, handle: Mapping[str, Any], grace_seconds: float) -> None:
        self.states = [Observation(RunState.EXITED, exit_code=143)]


class Doubtful(Host):
    """May not act on its lease for a while: the database was away, and comes back."""

    def __init__(self, driver: Engine, doubts: int) -> None:
        super().__init__(driver)
        self.doubts = doubts
        self.stopping: list[threading.Thread] = []

    def check_trust(self) -> None:
        if self.doubts:
            self.doubts -= 1
            raise GivenUp("the lease may not be acted on")

    def in_stopping(self, work: Callable[[], None]) -> None:
        self.stopping.append(threading.Thread(target=work, daemon=True))
        self.stopping[-1].start()


def cancelled_run(host: Doubtful) -> AttemptRun:
    order = Order(
        attempt=5, job=3, provider=1, phase=Phase.RUNNING, run=SPEC, timeout_seconds=60,
        handle={"v": 1, "id": "c"}, cancel=CancelWish(5, "somebody", datetime.now(UTC)),
    )  # fmt: skip
    sink = LogWriter(cast(Store, Ledger())).sink(5, host.fence, Position())
    return AttemptRun(order, cast(HostView, host), sink)


def test_a_stop_that_met_a_doubtful_lease_is_sent_when_the_lease_holds_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attempt_log, "DRAIN_SECONDS", -1.0)
    monkeypatch.setattr(attempt_stop, "STOP_AGAIN_SECONDS", 0.01)
    host = Doubtful(Stoppable(), doubts=2)
    thread = threading.Thread(target=cancelled_run(host).run, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive(), "the program was never stopped"
    assert host.asked[-1].ending is not None
    assert host.asked[-1].ending.reason == "cancelled"


def test_a_stop_is_not_tried_for_ever_once_the_program_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attempt_log, "DRAIN_SECONDS", -1.0)
    monkeypatch.setattr(attempt_stop, "STOP_AGAIN_SECONDS", 0.01)
    host = Doubtful(Engine([RUNNING, EXITED]), doubts=10**9)
    cancelled_run(host).run()
    (stopping,) = host.stopping
    stopping.join(10)
    assert not stopping.is_alive()


class Confused(Stoppable):
    """Its first answer to a stop cannot be understood."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def stop(self, handle: Mapping[str, Any], grace_seconds: float) -> None:
        self.asked += 1
        if self.asked == 1:
            raise KeyError("State")
        super().stop(handle, grace_seconds)


def test_a_stop_whose_answer_cannot_be_understood_is_sent_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attempt_log, "DRAIN_SECONDS", -1.0)
    monkeypatch.setattr(attempt_stop, "STOP_AGAIN_SECONDS", 0.01)
    host = Doubtful(Confused(), doubts=0)
    run = cancelled_run(host)
    thread = threading.Thread(target=run.run, daemon=True)
    thread.start()
    thread.join(10)
    run.detach()
    assert not thread.is_alive(), "its cancel was forgotten"
    assert host.asked[-1].ending is not None
    assert host.asked[-1].ending.reason == "cancelled"


class Behind(Stoppable):
    """Its program has ended, and wrote much that is not read yet."""

    def __init__(self) -> None:
        super().__init__()
        self.states = [RUNNING, RUNNING, EXITED]
        self.drained: Callable[[], None] = never
        self.stops = 0

    def logs(self, handle: Mapping[str, Any], cursor: Any, *, follow: bool) -> Any:
        return Output(self, cursor["n"] if cursor else 0, follow)

    def stop(self, handle: Mapping[str, Any], grace_seconds: float) -> None:
        self.stops += 1


class Output:
    """A line a batch, all written long ago."""

    def __init__(self, engine: Behind, after: int, follow: bool) -> None:
        self._engine, self._after, self._follow = engine, after, follow

    def __iter__(self) -> Iterator[LogBatch]:
        for number in range(self._after + 1, 21):
            if not self._follow:
                self._engine.drained()
            yield LogBatch((LogFrame(Stream.STDOUT, 1, b"line\n", True, True),), {"n": number})

    def close(self) -> None:
        pass


def test_a_program_that_ended_is_told_of_while_its_output_is_read_and_no_cancel_changes_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(late_end, "LOOK_SECONDS", 0.0)
    engine, ledger = Behind(), Ledger()
    host = Doubtful(engine, doubts=0)
    writer = LogWriter(cast(Store, ledger))
    writer.start(lambda name: None)
    sink = writer.sink(5, host.fence, Position())
    run = AttemptRun(RUNNING_ORDER, cast(HostView, host), sink)
    told: list[Phase | None] = []

    def cancel() -> None:
        engine.drained = never
        told.extend(move.to for move in host.asked)
        run.cancel(CancelWish(5, "somebody", datetime.now(UTC)))
        host.stopping[0].join(10)

    engine.drained = cancel
    run.run()
    writer.stop()
    assert writer.join(5)
    assert told == [Phase.FINISHING], "before the first of what was left came"
    end = host.asked[-1]
    assert end.ending is not None
    assert (end.ending.reason, end.log_complete, engine.stops) == ("succeeded", True, 0)
    assert ledger.appends[-1].after.lines == 20


class EndedBetween(Stoppable):
    """A former driver's stop ends the program after our look, and before ours arrives."""

    def __init__(self, started_at: datetime, finished_at: datetime) -> None:
        super().__init__()
        self._ended = Observation(
            RunState.EXITED, started_at=started_at, finished_at=finished_at, exit_code=143
        )

    def stop(self, handle: Mapping[str, Any], grace_seconds: float) -> None:
        self.states = [self._ended]


@pytest.mark.parametrize("reason", ["cancelled", "timeout"])
def test_a_stop_of_ours_that_came_too_late_leaves_the_end_to_a_former_drivers(
    reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt_log, "DRAIN_SECONDS", -1.0)
    now = datetime.now(UTC)
    started_at, due = now - timedelta(seconds=62), now - timedelta(seconds=2)
    wish = CancelWish(5, "somebody", due) if reason == "cancelled" else None
    order = replace(RUNNING_ORDER, started_at=started_at, cancel=wish)
    host = Doubtful(EndedBetween(started_at, due + timedelta(seconds=1)), doubts=0)
    sink = LogWriter(cast(Store, Ledger())).sink(5, host.fence, Position())
    run = AttemptRun(order, cast(HostView, host), sink)
    run.check_time(now)
    run.run()
    assert host.asked[-1].ending is not None
    assert host.asked[-1].ending.reason == reason


class Refusing(Engine):
    """Refuses at one call on the way to a start, as the engine of a host where somebody tidies."""

    def __init__(self, at: str, reason: str) -> None:
        super().__init__([Observation(RunState.CREATED)])
        self.at, self.reason = at, reason

    def _unless(self, call: str) -> None:
        if call == self.at:
            raise Rejected(self.reason, "it is not there")

    def pull(self, image: str, credential: object, progress: object) -> str:
        self._unless("pull")
        return "sha256:1"

    def create(self, spec: RunSpec) -> Handle:
        self._unless("create")
        return {"v": 1, "id": "c"}

    def start(self, handle: Handle) -> None:
        self._unless("start")


class Starting(Doubtful):
    """What a start asks of its host beside the moves."""

    def check_mounts(self, run: RunSpec) -> None: ...

    def credential(self, image: str) -> None: ...


@pytest.mark.parametrize(
    ("at", "reason", "outcome"),
    [
        # asked for its registry too, it is not to be had
        ("pull", "image_not_found", Outcome.FAILED),
        # it was there a moment before: a new attempt pulls it again
        ("create", "image_not_found", Outcome.FENCED),
        ("start", "removed_outside", Outcome.FENCED),
        ("create", "rejected", Outcome.FAILED),
        ("start", "could_not_start", Outcome.FAILED),
    ],
)
def test_what_somebody_took_away_before_the_start_is_had_again_free_of_charge(
    at: str, reason: str, outcome: Outcome
) -> None:
    host = Starting(Refusing(at, reason), doubts=0)
    order = replace(RUNNING_ORDER, phase=Phase.PLACED, handle=None)
    sink = LogWriter(cast(Store, Ledger())).sink(5, host.fence, Position())
    AttemptRun(order, cast(HostView, host), sink).run()
    ending = host.asked[-1].ending
    assert ending is not None
    assert ending.outcome is outcome
    assert ending.reason == ("fenced" if outcome is Outcome.FENCED else reason)
