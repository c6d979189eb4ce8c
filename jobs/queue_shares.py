"""What waits by project and by concurrency key, with what bounds each of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from jobs.filters import JobFilter
from jobs.held import Held
from jobs.query import Term
from jobs.queue import in_use
from jobs.queue_counts import Waits
from jobs.queue_groups import BACKOFF, HELD
from jobs.sorts import Sort
from jobs.sql import fetch
from jobs.states import JobState
from projects.models import Project
from projects.quantities import cores_text, memory_text
from projects.shares import pause_words

MOST_SHOWN = 8


@dataclass(frozen=True, slots=True)
class ProjectShare:
    """A project in which jobs wait: how many, since when the longest in line, what bounds what
    it runs, in words, and who paused it and why."""

    project: Project
    waiting: int
    oldest: datetime | None
    bounds: tuple[str, ...]
    paused: str


@dataclass(frozen=True, slots=True)
class KeyShare:
    """A concurrency key with which jobs wait. `limit`: the smallest that any of them sets."""

    project: str
    key: str
    waiting: int
    running: int
    oldest: datetime | None
    limit: int | None

    @property
    def filter(self) -> dict[str, list[str]]:
        """The query of the list of jobs that wait with it."""
        terms = (
            Term("state", JobState.PENDING), Term("project", self.project), Term("key", self.key)
        )  # fmt: skip
        return JobFilter(terms).as_query() | Sort.QUEUE.as_query()


def project_shares(waiting: Iterable[Waits]) -> list[ProjectShare]:
    """The projects in which most jobs wait, of all that waits."""
    numbers: Counter[int] = Counter()
    oldest: dict[int, datetime] = {}
    for one in waiting:
        numbers[one.project] += one.number
        if one.code not in (BACKOFF, HELD):
            oldest[one.project] = min(one.oldest, oldest.get(one.project, one.oldest))
    most = sorted(numbers, key=lambda pk: (-numbers[pk], pk))[:MOST_SHOWN]
    named, used = Project.objects.in_bulk(most), in_use().projects
    return [
        ProjectShare(
            named[pk],
            numbers[pk],
            oldest.get(pk),
            tuple(_bounds(named[pk], used.get(pk, Held()))),
            pause_words(named[pk]),
        )
        for pk in most
    ]


def key_shares(projects: list[int] | None) -> list[KeyShare]:
    """The concurrency keys with which most jobs wait, of these projects (None: of all)."""
    rows = fetch("waiting_keys", {"projects": projects, "most": MOST_SHOWN})
    return [KeyShare(*row) for row in rows]


def _bounds(project: Project, used: Held) -> Iterator[str]:
    """What it runs of what it may run: "3 of 10 jobs", "6 of 8 CPU"."""
    if project.max_running is not None:
        yield f"{used.attempts:,} of {project.max_running:,} jobs run"
    else:
        yield f"{used.attempts:,} run" if used.attempts != 1 else "1 runs"
    if project.max_cpu_millis is not None:
        yield f"{cores_text(used.cpu_millis)} of {cores_text(project.max_cpu_millis)} CPU"
    if project.max_memory_mb is not None:
        yield f"{memory_text(used.memory_mb)} of {memory_text(project.max_memory_mb)}"
    if project.max_gpus is not None:
        yield f"{used.gpus:,} of {project.max_gpus:,} GPU"
