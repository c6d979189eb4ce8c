"""What a scheduler makes of a load: arrivals and ends in their order, a look after each moment
at which something happened."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from benchmarks.scheduling.openb import Task
from benchmarks.scheduling.world import World
from orchestrator.scheduling.policy import Plan
from orchestrator.scheduling.snapshot import Demand, ProjectView, ProviderView, Snapshot
from providers.fit import matches

Scheduler = Callable[[Snapshot], Plan]


@dataclass(frozen=True, slots=True)
class Setting:
    """A load and what it meets; times in seconds."""

    name: str
    tasks: Sequence[Task]
    providers: Sequence[ProviderView]
    projects: Sequence[ProjectView]
    patience: float = 6 * 3600.0


@dataclass(slots=True)
class Course:
    """How it went. `started` is by job; `levels` are (time, parts in use of CPU, memory and
    GPUs, jobs that wait), each holding until the next."""

    setting: Setting
    started: dict[int, float] = field(default_factory=dict)
    levels: list[tuple[float, float, float, float, int]] = field(default_factory=list)
    held: dict[int, float] = field(default_factory=dict)
    """Project → what it held, as its dominant share times seconds, while anybody waited."""
    free_by: dict[int, float] = field(default_factory=dict)
    """Job → by when it has to start: from the moment on when it is overdue and the one that has
    waited longest, until all has ended that runs on the provider that lacks least for it."""
    never: frozenset[int] = frozenset()
    """Jobs that no provider is large enough for: they are left out of everything."""


def simulate(setting: Setting, scheduler: Scheduler) -> Course:
    """Run the whole load; looks go on until nothing changes at that moment."""
    world = World(setting.providers, setting.projects, setting.patience)
    never = frozenset(t.arrival.job for t in setting.tasks if not _fits_idle(t, setting.providers))
    course = Course(setting, never=never)
    coming = [t for t in setting.tasks if t.arrival.job not in never][::-1]
    lasts = {t.arrival.job: t.lasts for t in coming}
    ends: list[tuple[float, int]] = []
    usage = _Usage(setting.providers)
    while coming or ends:
        now = min(coming[-1].at if coming else float("inf"), ends[0][0] if ends else float("inf"))
        usage.pass_to(now, course, world)
        while ends and ends[0][0] <= now:
            job = heapq.heappop(ends)[1]
            usage.change(world.running[job].demand, world.running[job].project, -1)
            world.end(job)
        while coming and coming[-1].at <= now:
            world.arrive(coming.pop().arrival, now)
        while world.waiting:
            made = scheduler(world.snapshot(now))
            world.commit(made)
            for placed in made.placements:
                course.started[placed.job] = now
                usage.change(placed.demand, placed.project, 1)
                heapq.heappush(ends, (now + lasts[placed.job], placed.job))
            if not made.more:
                break
        _watch_the_oldest(course, world, now, {job: end for end, job in ends})
        course.levels.append((now, *usage.parts(), world.waiting))
    return course


def _watch_the_oldest(course: Course, world: World, now: float, ends: dict[int, float]) -> None:
    """Note by when the one that has waited longest has to start, once it is overdue."""
    oldest = world.oldest()
    if oldest is None or now - oldest.since < world.patience or oldest.job in course.free_by:
        return
    suited = [v for v in world.providers.values() if suits(oldest.demand, v)]
    kept = min(suited, key=lambda view: (_lacks(oldest.demand, view), view.id))
    there = [ends[p.job] for p in world.running.values() if p.provider == kept.id]
    course.free_by[oldest.job] = max([now, *there])


def _lacks(demand: Demand, view: ProviderView) -> float:
    """The largest part of what it asks for that is not free there."""
    asked = (
        (demand.cpu_millis, view.free_cpu_millis),
        (demand.memory_mb, view.free_memory_mb),
        (demand.gpus, view.free_gpus),
    )
    return max([0.0, *((need - free) / need for need, free in asked if need)])


def suits(demand: Demand, view: ProviderView) -> bool:
    """Whether it could run there, were nothing else there."""
    return (
        demand.cpu_millis <= view.total_cpu_millis
        and demand.memory_mb <= view.total_memory_mb
        and demand.gpus <= view.total_gpus
        and all(matches(one, view.labels) for one in demand.requires)
    )


def _fits_idle(task: Task, providers: Sequence[ProviderView]) -> bool:
    return any(suits(task.arrival.demand, view) for view in providers)


class _Usage:
    """What is in use, in all and by project."""

    def __init__(self, providers: Sequence[ProviderView]) -> None:
        self._totals = (
            sum(v.total_cpu_millis for v in providers),
            sum(v.total_memory_mb for v in providers),
            sum(v.total_gpus for v in providers),
        )
        self._used = [0, 0, 0]
        self._projects: dict[int, list[int]] = {}
        self._since = 0.0

    def change(self, demand: Demand, project: int, sign: int) -> None:
        """A job has started (1) or ended (-1)."""
        mine = self._projects.setdefault(project, [0, 0, 0])
        for at, amount in enumerate((demand.cpu_millis, demand.memory_mb, demand.gpus)):
            self._used[at] += sign * amount
            mine[at] += sign * amount

    def pass_to(self, now: float, course: Course, world: World) -> None:
        """Time passes; while somebody waits, what each project holds is counted."""
        if world.waiting:
            for project, mine in self._projects.items():
                share = max(self._parts(mine))
                held = share * (now - self._since)
                course.held[project] = course.held.get(project, 0.0) + held
        self._since = now

    def parts(self) -> tuple[float, float, float]:
        """Of CPU, memory and GPUs."""
        return self._parts(self._used)

    def _parts(self, used: Sequence[int]) -> tuple[float, float, float]:
        cpu, memory, gpus = (
            amount / max(1, total) for amount, total in zip(used, self._totals, strict=True)
        )
        return cpu, memory, gpus
