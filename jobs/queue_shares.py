"""What waits by project and by concurrency key, with what bounds each of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from jobs.filters import JobFilter
from jobs.held import Held
from jobs.query import Term
from jobs.queue import in_use
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


def shares(projects: list[int] | None) -> tuple[list[ProjectShare], list[KeyShare]]:
    """The projects and the keys with which most jobs wait; four queries."""
    values = {"projects": projects, "most": MOST_SHOWN}
    by_project, by_key = fetch("waiting_projects", values), fetch("waiting_keys", values)
    named = Project.objects.in_bulk({row[0] for row in (*by_project, *by_key)})
    used = in_use().projects
    return (
        [
            _share(named[pk], waiting, oldest, used.get(pk, Held()))
            for pk, waiting, oldest in by_project
        ],
        [KeyShare(named[pk].slug, *rest) for pk, *rest in by_key],
    )


def _share(project: Project, waiting: int, oldest: datetime | None, used: Held) -> ProjectShare:
    return ProjectShare(
        project, waiting, oldest, tuple(_bounds(project, used)), pause_words(project)
    )


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
