"""The scheduler rests after a long look, but not for as long as a database hung."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest

from orchestrator.loop import scheduler as module
from orchestrator.loop.keeper import Keeper
from orchestrator.loop.scheduler import LONGEST_REST, Scheduler
from orchestrator.scheduling.policy import Plan
from orchestrator.scheduling.snapshot import Demand, Snapshot, WaitingClass
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

    def snapshot(self, depth: int) -> Snapshot:
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
