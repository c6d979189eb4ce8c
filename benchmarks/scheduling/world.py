"""An instance in memory: what waits and what runs, for as long as a benchmark moves it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace

from orchestrator.scheduling.policy import Placed, Plan
from orchestrator.scheduling.snapshot import (
    Demand,
    Key,
    KeyView,
    ProjectView,
    ProviderView,
    Snapshot,
    WaitingClass,
)

ClassOf = tuple[int, int, Demand, Key | None]
"""Project, priority, demand and key: what makes jobs one to the planner."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A job that comes."""

    job: int
    project: int
    priority: int
    demand: Demand
    key: Key | None = None

    @property
    def kind(self) -> ClassOf:
        """Its class."""
        return self.project, self.priority, self.demand, self.key


@dataclass(frozen=True, slots=True)
class Oldest:
    """The job that has waited longest."""

    job: int
    since: float
    demand: Demand


class World:
    """Waiting and running jobs, providers and projects. Times are seconds."""

    def __init__(
        self,
        providers: Iterable[ProviderView],
        projects: Iterable[ProjectView],
        patience: float = 6 * 3600.0,
    ) -> None:
        self.providers = {view.id: view for view in providers}
        self.projects = {view.id: view for view in projects}
        self.patience = patience
        self.running: dict[int, Placed] = {}
        self.waiting = 0
        self._keys: dict[tuple[int, str], list[int]] = {}
        self._numbers: dict[ClassOf, int] = {}
        self._class_of: dict[int, int] = {}
        self._queues: dict[int, deque[tuple[int, float]]] = {}
        self._classes: dict[int, WaitingClass] = {}
        self._stale: set[int] = set()

    def arrive(self, one: Arrival, since: float) -> None:
        """A job lines up; of its class it is the last."""
        number = self._numbers.setdefault(one.kind, len(self._numbers) + 1)
        if number not in self._classes:
            self._queues[number] = deque()
            self._classes[number] = WaitingClass(
                number, one.project, one.priority, one.demand, (), (), key=one.key
            )
        self._queues[number].append((one.job, since))
        self._class_of[one.job] = number
        self._stale.add(number)
        self.waiting += 1

    def snapshot(self, now: float) -> Snapshot:
        """What the planner sees of it, to its whole depth."""
        for number in self._stale:
            queue = self._queues[number]
            self._classes[number] = replace(
                self._classes[number],
                jobs=tuple(job for job, _ in queue),
                since=tuple(since for _, since in queue),
            )
        self._stale.clear()
        return Snapshot(
            classes=tuple(self._classes.values()),
            providers=tuple(self.providers.values()),
            projects=dict(self.projects),
            keys={key: KeyView(tuple(jobs)) for key, jobs in self._keys.items()},
            now=now,
            patience=self.patience,
        )

    def commit(self, made: Plan) -> None:
        """What the planner decided comes to pass."""
        gone = {p.job for p in made.placements} | {one.job for one in made.give_way}
        for placed in made.placements:
            self.running[placed.job] = placed
            if placed.key is not None:
                self._keys.setdefault((placed.project, placed.key.name), []).append(placed.job)
            self._hold(placed, 1)
        for wait in made.waits:
            self._classes[wait.waiting] = replace(
                self._classes[wait.waiting], told=(wait.reason, wait.detail)
            )
        if gone:
            self._leave(gone)

    def oldest(self) -> Oldest | None:
        """The one that has waited longest; None where nobody waits."""
        heads = [(*queue[0][::-1], number) for number, queue in self._queues.items() if queue]
        if not heads:
            return None
        since, job, number = min(heads)
        return Oldest(job, since, self._classes[number].demand)

    def end(self, job: int) -> None:
        """A running job is over."""
        placed = self.running.pop(job)
        if placed.key is not None:
            self._keys[placed.project, placed.key.name].remove(job)
        self._hold(placed, -1)

    def _leave(self, gone: set[int]) -> None:
        for number in {self._class_of.pop(job) for job in gone if job in self._class_of}:
            queue = self._queues[number]
            kept = deque(pair for pair in queue if pair[0] not in gone)
            self.waiting -= len(queue) - len(kept)
            self._queues[number] = kept
            self._stale.add(number)

    def _hold(self, placed: Placed, sign: int) -> None:
        demand, view = placed.demand, self.providers[placed.provider]
        cpu, memory, gpus = (
            sign * amount for amount in (demand.cpu_millis, demand.memory_mb, demand.gpus)
        )
        beside = {(placed.project, *pair) for pair in demand.apart}
        self.providers[view.id] = replace(
            view,
            free_cpu_millis=view.free_cpu_millis - cpu,
            free_memory_mb=view.free_memory_mb - memory,
            free_gpus=view.free_gpus - gpus,
            free_slots=None if view.free_slots is None else view.free_slots - sign,
            apart=view.apart | beside if sign > 0 else view.apart - beside,
        )
        project = self.projects[placed.project]
        self.projects[project.id] = replace(
            project,
            running=project.running + sign,
            cpu_millis=project.cpu_millis + cpu,
            memory_mb=project.memory_mb + memory,
            gpus=project.gpus + gpus,
        )
