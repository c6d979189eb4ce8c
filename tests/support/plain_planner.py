"""The rules of placement once more, as plainly as they can be said: loops over single jobs and
single providers, exact fractions, no arrays, no classes skipped. Slow, and the yardstick for
the planner."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil

from orchestrator.scheduling.snapshot import (
    Demand,
    KeyView,
    Overflow,
    ProjectView,
    ProviderView,
    Snapshot,
    WaitingClass,
)
from providers.fit import matches


@dataclass(slots=True)
class Site:
    """A provider while it fills."""

    view: ProviderView
    cpu: int
    memory: int
    gpus: int
    slots: int | None
    apart: set[tuple[int, str, str]]
    kept_for: int = 0

    def suits(self, demand: Demand) -> bool:
        """Whether it is what the job asks for and is large enough."""
        view = self.view
        return (
            demand.provider in ("", view.name)
            and all(matches(one, view.labels) for one in demand.requires)
            and demand.cpu_millis <= view.total_cpu_millis
            and demand.memory_mb <= view.total_memory_mb
            and demand.gpus <= view.total_gpus
        )

    def has_room(self, demand: Demand) -> bool:
        """Whether the job could start here now, but for what it keeps apart from."""
        return (
            self.suits(demand)
            and not self.view.down
            and demand.cpu_millis <= self.cpu
            and demand.memory_mb <= self.memory
            and demand.gpus <= self.gpus
            and self.slots != 0
        )

    def shunned(self, demand: Demand, project: int) -> bool:
        """Whether a job is here that this one keeps apart from."""
        return any((project, *pair) in self.apart for pair in demand.apart)

    def rank(self, demand: Demand) -> tuple[int, float, int]:
        """The smaller, the better for the job."""
        view = self.view
        parts = [
            1 - Fraction(self.cpu - demand.cpu_millis, max(1, view.total_cpu_millis)),
            1 - Fraction(self.memory - demand.memory_mb, max(1, view.total_memory_mb)),
        ]
        if demand.gpus:
            parts.append(1 - Fraction(self.gpus - demand.gpus, max(1, view.total_gpus)))
        steps = ceil(20 * max(parts))
        score = 20 - steps if view.pack else steps
        if demand.image not in view.images:
            score += 5
        if view.total_gpus and not demand.gpus:
            score += 100
        return score, view.cost_per_hour, view.id

    def lacks(self, demand: Demand) -> Fraction:
        """The largest part of what it asks for that is not free."""
        asked = ((demand.cpu_millis, self.cpu), (demand.memory_mb, self.memory),
                 (demand.gpus, self.gpus))  # fmt: skip
        return max([Fraction(0), *(Fraction(need - free, need) for need, free in asked if need)])

    def take(self, demand: Demand, project: int) -> None:
        """The job starts here."""
        self.cpu -= demand.cpu_millis
        self.memory -= demand.memory_mb
        self.gpus -= demand.gpus
        self.slots = None if self.slots is None else self.slots - 1
        self.apart |= {(project, *pair) for pair in demand.apart}


@dataclass(slots=True)
class PlainPlan:
    """Placements in their order as (job, provider); class → why it waits; who gives way."""

    placements: list[tuple[int, int]] = field(default_factory=list)
    reasons: dict[int, str] = field(default_factory=dict)
    give_way: set[int] = field(default_factory=set)
    more: bool = False


class PlainPlanner:
    """Makes one plan."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.sites = [
            Site(v, v.free_cpu_millis, v.free_memory_mb, v.free_gpus, v.free_slots, set(v.apart))
            for v in sorted(snapshot.providers, key=lambda view: view.id)
        ]
        self.used = {
            p.id: [p.running, p.cpu_millis, p.memory_mb, p.gpus] for p in snapshot.projects.values()
        }
        self.live = {key: len(view.jobs) for key, view in snapshot.keys.items()}
        self.kept: dict[int, WaitingClass] = {}
        self.kept_keys: dict[tuple[int, str], WaitingClass] = {}
        self.made = PlainPlan()

    def plan(self) -> PlainPlan:
        """The plan."""
        made = self.made
        made.give_way = self._giving_way()
        gone = made.give_way
        left = {c.id: [job for job in c.jobs if job not in gone] for c in self.snapshot.classes}
        made.more = bool(gone)
        if any(c.more and not left[c.id] and not gone.isdisjoint(c.jobs) for c in self._classes()):
            return made
        hopeful = {c.id for c in self._classes() if any(s.has_room(c.demand) for s in self.sites)}
        refused: set[int] = set()
        placed: set[int] = set()
        # a class and one of its jobs; None stands for those behind what was read
        queue = [(c, job) for c in self._classes() for job in left[c.id]]
        unread = [(c, left[c.id][-1]) for c in self._classes() if c.more and left[c.id]]
        while queue or unread:
            candidates = [(*self._turn(c, job), 0, c, job) for c, job in queue]
            candidates += [(*self._turn(c, job), 1, c, job) for c, job in unread]
            *_, behind, waiting, job = min(candidates, key=lambda one: one[:5])
            if behind:
                unread.remove((waiting, job))
                if waiting.id in refused:
                    continue
                made.more = True
                break
            queue.remove((waiting, job))
            if self._start(waiting, job, first=waiting.id not in refused):
                placed.add(job)
            else:
                refused.add(waiting.id)
        for waiting in self._classes():
            first = [job for job in left[waiting.id] if job not in placed][:1]
            never = waiting.id not in hopeful and bool(left[waiting.id])
            if first and never and self._level(waiting, left[waiting.id][0]) == 101:
                never = False  # overdue: walked in its turn
            if waiting.id in refused or never:
                made.reasons[waiting.id] = self._why(waiting)
        return made

    # --- order ---

    def _turn(self, waiting: WaitingClass, job: int) -> tuple[int, float, float, int]:
        since = dict(zip(waiting.jobs, waiting.since, strict=True))[job]
        high = self._level(waiting, job)
        return -high, 0 if high == 101 else self._share(waiting.project), since, job

    def _level(self, waiting: WaitingClass, job: int) -> int:
        since = dict(zip(waiting.jobs, waiting.since, strict=True))[job]
        waited = self.snapshot.now - since
        if waited >= self.snapshot.patience:
            return 101
        rise = (100 - waiting.priority) * max(0, int(waited)) / int(self.snapshot.patience)
        return waiting.priority + int(rise)

    def _share(self, project: int) -> float:
        views = self.snapshot.providers
        totals = (
            sum(v.total_cpu_millis for v in views),
            sum(v.total_memory_mb for v in views),
            sum(v.total_gpus for v in views),
        )
        parts = [u / t for u, t in zip(self.used[project][1:], totals, strict=True) if t]
        return max([0.0, *parts]) / self.snapshot.projects[project].weight

    # --- one job ---

    def _start(self, waiting: WaitingClass, job: int, *, first: bool) -> bool:
        demand, project = waiting.demand, waiting.project
        limited = self._limited(waiting)
        free = [
            site
            for site in self.sites
            if site.has_room(demand) and not site.shunned(demand, project) and not site.kept_for
        ]
        if limited or not free:
            if first and self._level(waiting, job) == 101 and self._could_ever_start(waiting):
                self._keep_limits(waiting)
                if not limited:
                    self._keep_free(demand, project, job)
            return False
        site = min(free, key=lambda one: one.rank(demand))
        site.take(demand, project)
        for at, amount in enumerate((1, demand.cpu_millis, demand.memory_mb, demand.gpus)):
            self.used[project][at] += amount
        if waiting.key is not None:
            self.live[project, waiting.key.name] += 1
        self.made.placements.append((job, site.view.id))
        return True

    def _keep_free(self, demand: Demand, project: int, job: int) -> None:
        able = [
            site
            for site in self.sites
            if site.suits(demand)
            and not site.view.down
            and not site.shunned(demand, project)
            and not site.kept_for
        ]
        kept = sum(1 for site in self.sites if site.kept_for)
        if able and kept < max(1, len(self.sites) // 10):
            min(able, key=lambda one: (one.lacks(demand), one.view.id)).kept_for = job

    def _keep_limits(self, waiting: WaitingClass) -> None:
        """Its key; and its project's limits, if it has a place in its key."""
        project, key = waiting.project, waiting.key
        if key is not None:
            self.kept_keys.setdefault((project, key.name), waiting)
        if key is None or not self._key_limited(waiting):
            self.kept.setdefault(project, waiting)

    def _could_ever_start(self, waiting: WaitingClass) -> bool:
        """Whether nothing but what others use keeps it from starting."""
        project = self.snapshot.projects[waiting.project]
        pairs = zip(self._asked(waiting), self._bounds(project), strict=True)
        return (
            not project.paused
            and all(bound is None or amount <= bound for amount, bound in pairs)
            and any(site.suits(waiting.demand) and not site.view.down for site in self.sites)
        )

    def _limited(self, waiting: WaitingClass) -> str:
        project: ProjectView = self.snapshot.projects[waiting.project]
        if project.paused:
            return "paused"
        used, asked, bounds = self.used[project.id], self._asked(waiting), self._bounds(project)
        if any(b is not None and amount > b for amount, b in zip(asked, bounds, strict=True)):
            return "above_project_limit"
        if of_key := self._key_limited(waiting):
            return of_key
        for has, amount, bound in zip(used, asked, bounds, strict=True):
            if bound is not None and amount and has + amount > bound:
                return "project_limit"
        first = self.kept.get(project.id, waiting)
        if first is not waiting:
            for has, ahead, amount, bound in zip(
                used, self._asked(first), asked, bounds, strict=True
            ):
                if bound is not None and amount and has + ahead + amount > bound:
                    return "kept_limit"
        return ""

    def _key_limited(self, waiting: WaitingClass) -> str:
        key = waiting.key
        if key is None:
            return ""
        live = self.live[waiting.project, key.name]
        if live + 1 > key.limit:
            return "key_limit"
        first = self.kept_keys.get((waiting.project, key.name), waiting)
        if first is waiting or first.key is None:
            return ""
        both = live + 2
        return "kept_limit" if both > key.limit or both > first.key.limit else ""

    @staticmethod
    def _asked(waiting: WaitingClass) -> tuple[int, int, int, int]:
        demand = waiting.demand
        return 1, demand.cpu_millis, demand.memory_mb, demand.gpus

    @staticmethod
    def _bounds(project: ProjectView) -> tuple[int | None, int | None, int | None, int | None]:
        limits = project.limits
        return limits.running, limits.cpu_millis, limits.memory_mb, limits.gpus

    def _why(self, waiting: WaitingClass) -> str:
        demand, project = waiting.demand, waiting.project
        if not self.sites:
            return "no_provider"
        asked = Demand(0, 0, 0, demand.provider, demand.requires)
        selected = [site for site in self.sites if site.suits(asked)]
        if not selected:
            return "no_match"
        large = [site for site in selected if site.suits(demand)]
        if not large:
            known = [site for site in selected if site.view.total_memory_mb]
            return "too_large" if known or not selected[0].view.down else "provider_down"
        limited, down = self._limited(waiting), all(site.view.down for site in large)
        if limited and not (down and limited == "kept_limit"):
            return limited
        if down:
            return "provider_down"
        roomy = [site for site in self.sites if site.has_room(demand)]
        if any(site.kept_for and not site.shunned(demand, project) for site in roomy):
            return "kept_free"
        return "apart" if any(not site.kept_for for site in roomy) else "no_capacity"

    # --- keys ---

    def _giving_way(self) -> set[int]:
        gone: set[int] = set()
        for (project, name), view in self.snapshot.keys.items():
            classes = [
                c for c in self._classes()
                if c.project == project and c.key and c.key.name == name and c.jobs
            ]  # fmt: skip
            how = {job: c.key.overflow for c in classes if c.key for job in c.jobs}
            if not set(how.values()) - {Overflow.QUEUE}:
                continue
            limit = min(c.key.limit for c in classes if c.key)
            if Overflow.CANCEL_RUNNING in how.values():
                gone |= self._beaten_or_older(classes, how, view, limit)
            else:
                late = sorted([*view.jobs, *how])[limit:]
                gone |= {job for job in late if how.get(job) is Overflow.CANCEL_NEWEST}
        return gone

    def _beaten_or_older(
        self, classes: list[WaitingClass], how: dict[int, Overflow], view: KeyView, limit: int
    ) -> set[int]:
        running = set(view.jobs) - view.stopping
        beaten = {
            job for job, overflow in how.items()
            if overflow is Overflow.CANCEL_RUNNING and len([r for r in running if r > job]) >= limit
        }  # fmt: skip
        able = {job for c in classes if self._could_ever_start(c) for job in c.jobs} - beaten
        if not able or how[max(able)] is not Overflow.CANCEL_RUNNING:
            return beaten
        newest = sorted(able | running, reverse=True)[:limit]
        if len(newest) < limit:
            return beaten
        older = {job for job in how if job < min(newest)}
        if any(c.more for c in classes):
            return beaten | older
        return beaten | older | {job for job in running if job < min(newest)}

    def _classes(self) -> tuple[WaitingClass, ...]:
        return self.snapshot.classes
