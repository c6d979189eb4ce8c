"""The last runs of the jobs of one name: how they went, as small bars."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from jobs.models import Job
from jobs.sql import fetch
from jobs.states import TERMINAL, JobState

BARS = 8
_HEIGHT = 18.0
_LEAST_HEIGHT = 3.0
_STEP = 6

Name = tuple[int, str]
"""A project's id and a job's name in it."""


@dataclass(frozen=True, slots=True)
class Run:
    """One of them: when its program began, and how long it ran, as far as it has ended."""

    id: int
    state: JobState
    started_at: datetime | None = None
    ran: float | None = None

    def seconds(self, now: datetime) -> float:
        """How long it ran, or has run until now; 0 where it never began, waits for another try or
        nobody knows."""
        if self.state != JobState.RUNNING or self.started_at is None:
            return self.ran or 0.0
        return max(0.0, (now - self.started_at).total_seconds())


@dataclass(frozen=True, slots=True)
class Bar:
    """One run in the history: its state, and its place and height in the drawing."""

    kind: str
    x: int
    y: str
    height: str


@dataclass(frozen=True, slots=True)
class LastRuns:
    """The runs of one name, newest first, at most as many as are drawn."""

    runs: tuple[Run, ...] = ()

    def bars(self, now: datetime) -> tuple[Bar, ...]:
        """The newest of them from old to new, as high as they took long."""
        shown = self.runs[::-1]
        longest = max((run.seconds(now) for run in shown), default=0.0) or 1.0
        first = BARS - len(shown)
        return tuple(
            _bar(run, run.seconds(now) / longest, first + n) for n, run in enumerate(shown)
        )

    @property
    def words(self) -> str:
        """The drawn ones, for who does not see them: "Last 8 runs: 6 completed, 2 failed"."""
        shown = self.runs
        states = [run.state if run.state in TERMINAL else "under way" for run in shown]
        parts = [f"{states.count(state)} {state}" for state in dict.fromkeys(states)]
        return f"Last {len(shown)} run{'s' if len(shown) > 1 else ''}: {', '.join(parts)}"


NONE = LastRuns()
_KINDS = {JobState.COMPLETED: "ok", JobState.FAILED: "bad", JobState.CANCELLED: "can"}


def _bar(run: Run, share: float, place: int) -> Bar:
    height = max(_LEAST_HEIGHT, share * _HEIGHT)
    return Bar(
        _KINDS.get(run.state, "run"), place * _STEP, f"{_HEIGHT - height:.1f}", f"{height:.1f}"
    )


def name_of(job: Job) -> Name:
    """What its runs are found by."""
    return job.project_id, job.name


def asked_for(names: Collection[Name], most: int) -> dict[str, object]:
    """The values of a statement about the last runs of these names, so many of each."""
    asked = sorted(set(names))
    return {
        "projects": [project for project, _ in asked],
        "names": [name for _, name in asked],
        "most": most,
    }


def last_runs(names: Collection[Name]) -> dict[Name, LastRuns]:
    """The drawn runs of names that the actor was allowed to learn of; one query."""
    if not names:
        return {}
    found: dict[Name, list[Run]] = {}
    rows = fetch("last_runs", asked_for(names, BARS))
    for project, name, job, state, started_at, ran in rows:
        found.setdefault((project, name), []).append(Run(job, JobState(state), started_at, ran))
    return {name: LastRuns(tuple(runs)) for name, runs in found.items()}


def newest_of_each(jobs: Iterable[Job], most: int) -> Sequence[Job]:
    """The first job of each name, in their order, at most so many."""
    first: dict[Name, Job] = {}
    for job in jobs:
        first.setdefault(name_of(job), job)
    return list(first.values())[:most]
