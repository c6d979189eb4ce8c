"""The scheduler rests after a long look, but not for as long as a database hung."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

import pytest

from orchestrator.loop import scheduler as module
from orchestrator.loop.keeper import Keeper
from orchestrator.loop.scheduler import LONGEST_REST, Scheduler
from orchestrator.scheduling.policy import Plan
from orchestrator.scheduling.snapshot import Demand, ProviderView, Snapshot, WaitingClass
from orchestrator.store import Store
from projects.notify import LiveChanges
from providers.leases import Fence


class Slow:
    """A store whose commit of a plan takes so many seconds of the clock that it moves."""

    def __init__(self, seconds: float) -> None:
        self.now = 100.0
        self.looks: list[float] = []
        self._seconds = seconds

    def clock(self) -> float:
        return self.now

    def tend_queue(self, fence: Fence) -> LiveChanges:
        return LiveChanges()

    def snapshot(self, depth: int, deeper: Mapping[int, int]) -> Snapshot:
        self.looks.append(self.now)
        return Snapshot((WaitingClass(1, 1, 50, Demand(1000, 512), (1,), (0.0,)),))

    def commit_plan(
        self, fence: Fence, plan: Plan, *, wake_hosts: bool = True
    ) -> tuple[int, LiveChanges]:
        self.now += self._seconds
        return 0, LiveChanges()


class Holder:
    """Holds the scheduler's lease."""

    def held(self, name: str) -> Fence:
        return Fence(name, 1)


@pytest.fixture
def rested(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], float]:
    """How long the scheduler rests after a look that took so many seconds."""

    def rest_after(seconds: float) -> float:
        store = Slow(seconds)
        made = Scheduler(
            cast(Store, store), cast(Keeper, Holder()), placed=lambda: None, tell=lambda _: None
        )

        def wait(pause: float) -> bool:
            store.now += pause
            return False

        monkeypatch.setattr(module, "monotonic", store.clock)
        monkeypatch.setattr(made._stopping, "wait", wait)
        made.run_once()
        ended = store.now
        made.run_once()
        return store.looks[1] - ended

    return rest_after


@pytest.mark.parametrize(("took", "rest"), [(0.01, 0), (0.5, 0.5), (60, LONGEST_REST)])
def test_the_rest_is_as_long_as_the_look_but_has_a_bound(
    rested: Callable[[float], float], took: float, rest: float
) -> None:
    assert rested(took) == pytest.approx(rest)


class Room:
    """A store with a long line of one class beside a hundred others, and room for eighty."""

    def __init__(self) -> None:
        self.read: list[int] = []
        self.started = 0

    def tend_queue(self, fence: Fence) -> LiveChanges:
        return LiveChanges()

    def snapshot(self, depth: int, deeper: Mapping[int, int]) -> Snapshot:
        line = range(self.started + 1, 1001)
        many = line[: max(depth, deeper.get(1, 0))]
        self.read.append(len(many))
        first = WaitingClass(
            1, 1, 50, Demand(1000, 512), tuple(many), (0.0,) * len(many), len(many) < len(line)
        )
        large = Demand(10**6, 512)
        others = (WaitingClass(n, 1, 40, large, (n * 10_000,), (0.0,)) for n in range(2, 102))
        place = ProviderView(
            1, "here", total_cpu_millis=80_000, free_cpu_millis=1000 * (80 - self.started),
            total_memory_mb=10**6, free_memory_mb=10**6,
        )  # fmt: skip
        return Snapshot((first, *others), (place,))

    def commit_plan(
        self, fence: Fence, plan: Plan, *, wake_hosts: bool = True
    ) -> tuple[int, LiveChanges]:
        self.started += len(plan.placements)
        return len(plan.placements), LiveChanges()


def test_of_a_class_of_which_some_started_the_next_look_reads_four_times_as_many() -> None:
    store = Room()
    made = Scheduler(
        cast(Store, store), cast(Keeper, Holder()), placed=lambda: None, tell=lambda _: None
    )
    while made.run_once():
        pass
    assert store.started == 80
    assert store.read == [4, 19, 76]  # of the others each look reads as many as of all
    store.started = 0  # all of them have ended
    while made.run_once():
        pass
    assert (store.started, store.read[3:]) == (80, [228])
