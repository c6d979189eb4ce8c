"""The stage on which every Store shows that it keeps the contract, and words for its tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol

import pytest

from jobs.endings import Ending
from jobs.log.frames import Position, pack
from jobs.log.store import Append
from jobs.states import Outcome, Phase
from jobs.transitions import BatchResult, Move
from orchestrator.scheduling.order import Line
from orchestrator.scheduling.policy import plan
from orchestrator.store import Order, Store
from providers.leases import SCHEDULER, Fence, provider_lease
from tests.support.log_rows import lines

SUCCEEDED = Ending(Outcome.COMPLETED, "succeeded", {}, 0)
FAILED = Ending(Outcome.FAILED, "exit_code", {"exit_code": 3}, 3)
FENCED = Ending(Outcome.FENCED, "fenced", {"message": "nothing was made yet"})
WHEN = datetime(2026, 11, 1, 12, tzinfo=UTC)
WAY = (Phase.CREATING, Phase.STARTING, Phase.RUNNING, Phase.FINISHING, Phase.ENDED)


class Stage(Protocol):
    """A store with a hand in it."""

    store: Store
    holder: str
    """The name under which `store` holds leases."""
    other: Store
    """The same rows, seen by another engine process."""

    def add_provider(self, name: str, *, cpu_millis: int = 4000, slots: int | None = None) -> int:
        """A healthy, active provider."""
        ...

    def add_job(
        self,
        *,
        cpu_millis: int = 1000,
        priority: int = 50,
        held: bool = False,
        max_attempts: int = 1,
        queue_timeout_seconds: int | None = None,
        backoff_seconds: int = 0,
    ) -> int: ...

    def age_job(self, job: int) -> None:
        """Let its wait have begun, and what it waits for come, an hour earlier."""
        ...

    def cancel(self, job: int) -> None: ...
    def hold(self, job: int) -> None: ...
    def set_mode(self, provider: int, mode: str) -> None: ...
    def expire_leases(self) -> None:
        """Let the time of all leases be over."""
        ...

    def job(self, job: int) -> tuple[str, str]:
        """Its state and the reason that it is told."""
        ...

    def rev(self, job: int) -> int: ...
    def log(self, attempt: int) -> tuple[bool | None, str]:
        """Whether its log is complete (None: not known yet), and the note why not."""
        ...

    def readings(self, attempt: int) -> list[int]:
        """The bytes of memory of all that was measured of it."""
        ...

    def memory_peak(self, attempt: int) -> int | None: ...
    def ask(self, provider: int) -> int:
        """Web asks its engine for a probe."""
        ...

    def request(self, request: int) -> str:
        """The status of what web asked for."""
        ...


def acquire(store: Store, name: str) -> Fence:
    (fence,) = store.acquire([name], [])
    return fence


def in_line(stage: Stage) -> list[int]:
    """The jobs that may be placed now, in their order."""
    line = Line(stage.store.snapshot())
    found = []
    for head in line:
        found.append(head.job)
        line.started(head)
    return found


def scheduled(stage: Stage) -> tuple[Fence, int]:
    """Plan what waits; the scheduler's lease, and how many were placed."""
    fence = acquire(stage.store, SCHEDULER)
    stage.store.tend_queue(fence)
    placed, _ = stage.store.commit_plan(fence, plan(stage.store.snapshot()))
    return fence, placed


def one_placed(
    stage: Stage,
    *,
    cpu_millis: int = 1000,
    max_attempts: int = 1,
    backoff_seconds: int = 0,
    queue_timeout_seconds: int | None = None,
    waited_an_hour: bool = False,
) -> tuple[Order, Fence]:
    """A job placed on a provider of its own, as its host takes it up."""
    provider = stage.add_provider("here")
    job = stage.add_job(
        cpu_millis=cpu_millis,
        max_attempts=max_attempts,
        backoff_seconds=backoff_seconds,
        queue_timeout_seconds=queue_timeout_seconds,
    )
    if waited_an_hour:
        stage.age_job(job)
    scheduled(stage)
    (order,) = stage.store.placed([provider])
    return order, acquire(stage.store, provider_lease(provider))


def waited(stage: Stage) -> float:
    """How long the only job in line has waited, in seconds, as the planner sees it."""
    snapshot = stage.store.snapshot()
    ((since,),) = (one.since for one in snapshot.classes if one.jobs)
    return snapshot.now - since


def move(order: Order, fence: Fence, to: Phase, ending: Ending | None = None) -> Move:
    if to is Phase.ENDED and ending is None:
        ending = SUCCEEDED
    return Move(attempt=order.attempt, job=order.job, fence=fence, to=to, ending=ending)


def apply(store: Store, *moves: Move) -> BatchResult:
    return store.apply(moves, None, wake_scheduler=False)


def append(order: Order, fence: Fence, before: Position, first: int = 1) -> Append:
    chunks, after = pack(lines(first, 3), before)
    return Append(order.attempt, fence, before, after, {"at": first}, tuple(chunks))


def acquire_again(stage: Stage) -> Fence:
    """The scheduler's lease, whoever had it."""
    stage.expire_leases()
    fence = acquire(stage.store, SCHEDULER)
    stage.store.tend_queue(fence)
    return fence


class OnStage:
    """A subclass gives the fixture: the store, and a hand to put jobs and providers into it
    and to see what became of them. Times that only a database has are not looked at."""

    @pytest.fixture
    def stage(self) -> Stage:
        raise NotImplementedError
