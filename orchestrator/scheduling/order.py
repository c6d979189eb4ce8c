"""The true order of what waits: priority with age, then a fair turn between projects, then
first come. Pure; `jobs/true_order.py` says the same of a whole line, and a test compares them.

*Priority with age*: a job's level is its priority, 0 to 100, and rises evenly to 100 while it
waits; after `patience` seconds it is overdue, and overdue jobs come before all others, the one
that has waited longest first. Among them there are no turns: a job whose project has much that
runs on and on would else never have its own, as long as others are overdue too.

*Fair turn*: of projects whose next jobs have the same level, the one comes first that uses the
least of the instance by its weight. Use is the dominant share of Ghodsi et al., "Dominant
Resource Fairness" (NSDI 2011): the largest of its parts of all CPU, memory and GPUs, what runs
now and what came before in the same look.

*First come*: by when its wait began, then by number.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from orchestrator.scheduling.snapshot import Demand, ProjectView, Snapshot, WaitingClass

TOP = 100
OVERDUE = 101


def level(priority: int, waited: float, patience: float) -> int:
    """The level of a job that has waited so many seconds: 0 to 100, or OVERDUE."""
    if waited >= patience:
        return OVERDUE
    return priority + (TOP - priority) * max(0, int(waited)) // max(1, int(patience))


@dataclass(slots=True)
class Turn:
    """What a project uses, for the fair turn."""

    view: ProjectView
    totals: tuple[int, int, int]
    used: list[int] = field(default_factory=list)
    share: float = 0.0
    """Its dominant share, divided by its weight."""

    def __post_init__(self) -> None:
        self.used = [self.view.cpu_millis, self.view.memory_mb, self.view.gpus]
        self._count()

    def add(self, demand: Demand) -> None:
        """One more of its jobs has started."""
        self.used[0] += demand.cpu_millis
        self.used[1] += demand.memory_mb
        self.used[2] += demand.gpus
        self._count()

    def _count(self) -> None:
        parts = (u / t for u, t in zip(self.used, self.totals, strict=True) if t)
        self.share = max(parts, default=0.0) / self.view.weight


@dataclass(frozen=True, slots=True)
class Head:
    """The job whose turn it is. `unread`: its class has more jobs than the snapshot holds, and
    this one, whatever its number, is not among them."""

    waiting: WaitingClass
    index: int
    position: int
    level: int

    @property
    def unread(self) -> bool:
        """Whether the snapshot ends before it."""
        return self.position >= len(self.waiting.jobs)

    @property
    def job(self) -> int:
        """Its number; of an unread one that of the job before it."""
        return self.waiting.jobs[min(self.position, len(self.waiting.jobs) - 1)]


_Queued = tuple[int, float, int, int, int]
"""-level, since, job, index of the class, position in it: sorts as one walks a project."""


class Line:
    """Walks what waits in the true order; after each head say what became of it.

    Classes at the places `hopeless` cannot start whatever happens: of those only the ones with
    an overdue job line up.
    """

    def __init__(self, snapshot: Snapshot, hopeless: Collection[int] = frozenset()) -> None:
        self._snapshot = snapshot
        self._classes = snapshot.classes
        self._passed_over: list[int] = []
        totals = (
            sum(p.total_cpu_millis for p in snapshot.providers),
            sum(p.total_memory_mb for p in snapshot.providers),
            sum(p.total_gpus for p in snapshot.providers),
        )
        self._queues: dict[int, list[_Queued]] = {}
        for index, waiting in enumerate(self._classes):
            if not waiting.jobs:
                continue
            if index in hopeless and snapshot.now - waiting.since[0] < snapshot.patience:
                self._passed_over.append(index)
            else:
                self._queues.setdefault(waiting.project, []).append(self._queued(index, 0))
        self._turns = {
            project: Turn(snapshot.projects.get(project) or ProjectView(project, ""), totals)
            for project in self._queues
        }
        self._next: list[tuple[int, float, float, int, int]] = []
        for project, queue in self._queues.items():
            heapq.heapify(queue)
            self._line_up(project)

    def __iter__(self) -> Iterator[Head]:
        while self._next:
            minus_level, _, _, _, project = self._next[0]
            _, _, _, index, position = self._queues[project][0]
            yield Head(self._classes[index], index, position, -minus_level)

    def started(self, head: Head) -> None:
        """The head is placed: the next of its class lines up, and its project's turn moves."""
        project = head.waiting.project
        self._turns[project].add(head.waiting.demand)
        after = head.position + 1
        queue = self._queues[project]
        if after < len(head.waiting.jobs) or head.waiting.more:
            heapq.heapreplace(queue, self._queued(head.index, after))
        else:
            heapq.heappop(queue)
        self._moved(project)

    def refused(self, head: Head) -> None:
        """The head waits on, and so do all behind it in its class: what keeps it keeps them."""
        project = head.waiting.project
        heapq.heappop(self._queues[project])
        self._passed_over.append(head.index)
        self._moved(project)

    def passed_over(self) -> list[int]:
        """The places of the classes of which a job waits on."""
        return sorted(self._passed_over)

    def _moved(self, project: int) -> None:
        heapq.heappop(self._next)
        if self._queues[project]:
            self._line_up(project)

    def _line_up(self, project: int) -> None:
        minus_level, since, job, _, _ = self._queues[project][0]
        turn = 0.0 if -minus_level == OVERDUE else self._turns[project].share
        heapq.heappush(self._next, (minus_level, turn, since, job, project))

    def _queued(self, index: int, position: int) -> _Queued:
        """An unread job stands right behind the last one that was read: not after its turn."""
        waiting = self._classes[index]
        read = min(position, len(waiting.jobs) - 1)
        since = waiting.since[read]
        waited = self._snapshot.now - since
        high = level(waiting.priority, waited, self._snapshot.patience)
        return -high, since, waiting.jobs[read], index, position
