"""What a plan costs: cold, and again after one event. Seconds of this process's own processor
time (the machine may be shared) beside those of the clock."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchmarks.scheduling import load
from benchmarks.scheduling.world import Arrival, World
from orchestrator.garbage import settle
from orchestrator.scheduling.fleet import Fleet
from orchestrator.scheduling.policy import Plan, plan
from orchestrator.scheduling.snapshot import ProviderView

EVENTS = ("new job", "ended job", "provider change")


@dataclass(frozen=True, slots=True)
class Taken:
    """How long something took, in seconds."""

    processor: float
    clock: float


@dataclass(frozen=True, slots=True)
class Decisions:
    """The cost of the first plan and of those after single events."""

    pending: int
    classes: int
    providers: int
    cold: Taken
    placements: int
    after: dict[str, list[Taken]]

    def percentile(self, part: float, event: str = "") -> Taken:
        """Of the decisions after one kind of event, or after any."""
        taken = [t for kind, each in self.after.items() if event in ("", kind) for t in each]
        at = min(len(taken) - 1, int(part * len(taken)))
        return Taken(
            sorted(t.processor for t in taken)[at], sorted(t.clock for t in taken)[at]
        )  # fmt: skip


class Stage:
    """A long queue in front of idle providers."""

    def __init__(
        self, pending: int, classes: int, providers: Sequence[ProviderView], seed: int = 1
    ) -> None:
        self._world = World(providers, load.projects())
        self._arrivals: list[Arrival] = []
        for arrival, waited in load.jobs(pending, classes, seed):
            self._world.arrive(arrival, -waited)
            self._arrivals.append(arrival)
        self._fleet = Fleet(())
        self._now = 0.0
        self._next = pending + 1
        self._chance = random.Random(f"events {seed}")
        self._size = (pending, classes, len(providers))
        settle()  # as in the scheduler's own process

    def measure(self, events: int) -> Decisions:
        """The cold plan, then so many events of each kind in turn."""
        made, cold = self._look()
        placements = len(made.placements)
        after: dict[str, list[Taken]] = {kind: [] for kind in EVENTS}
        for _ in range(events):
            for kind in EVENTS:
                self._now += 0.1
                self._happen(kind)
                after[kind].append(self._look()[1])
        return Decisions(*self._size, cold, placements, after)

    def _look(self) -> tuple[Plan, Taken]:
        snapshot = self._world.snapshot(self._now)
        processor, clock = time.process_time(), time.perf_counter()
        self._fleet = self._fleet.renewed(snapshot.providers)
        made = plan(snapshot, self._fleet)
        taken = Taken(time.process_time() - processor, time.perf_counter() - clock)
        self._world.commit(made)
        return made, taken

    def _happen(self, kind: str) -> None:
        world, chance = self._world, self._chance
        if kind == "new job":
            arrival = replace(chance.choice(self._arrivals), job=self._next)
            self._next += 1
            world.arrive(arrival, self._now)
        elif kind == "ended job":
            world.end(chance.choice(list(world.running)))
        else:
            view = world.providers[chance.choice(list(world.providers))]
            down = "" if view.down else "it is draining"
            world.providers[view.id] = replace(
                view, down=down, down_reason="provider_down" if down else ""
            )
