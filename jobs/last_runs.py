"""The last runs of the jobs of one name: how they went, and how long such a job usually takes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from statistics import median

from jobs.models import Job
from jobs.sql import fetch
from jobs.states import TERMINAL, JobState
from projects.quantities import duration_text

MOST_RUNS = 30
BARS = 8
ENOUGH = 5
"""So many completed runs make what they took usual; fewer say nothing."""
_HEIGHT = 18.0
_LEAST_HEIGHT = 3.0
_STEP = 6

Name = tuple[int, str]
"""A project's id and a job's name in it."""


@dataclass(frozen=True, slots=True)
class Run:
    """One of them: when its program began and ended, as far as it did."""

    id: int
    state: JobState
    started_at: datetime | None = None
    finished_at: datetime | None = None

    def seconds(self, now: datetime) -> float:
        """How long it ran, or has run until now; 0 where it never began."""
        if self.started_at is None:
            return 0.0
        return max(0.0, ((self.finished_at or now) - self.started_at).total_seconds())


@dataclass(frozen=True, slots=True)
class Usual:
    """How long completed runs took, in seconds: half of them at most `half`, and of 20 of them
    19 at most `most`."""

    runs: int
    half: float
    most: float

    @property
    def words(self) -> str:
        """As in "nearly all of the last 12 took at most 14 min"."""
        return f"nearly all of the last {self.runs} took at most {coarse(self.most)}"


@dataclass(frozen=True, slots=True)
class Bar:
    """One run in the history: its state, and its place and height in the drawing."""

    kind: str
    x: int
    y: str
    height: str


@dataclass(frozen=True, slots=True)
class LastRuns:
    """The runs of one name, newest first."""

    runs: tuple[Run, ...] = ()

    @property
    def usual(self) -> Usual | None:
        """What the completed ones took; None where they are too few to tell."""
        took = sorted(
            run.seconds(run.finished_at)
            for run in self.runs
            if run.state == JobState.COMPLETED and run.started_at and run.finished_at
        )
        if len(took) < ENOUGH:
            return None
        return Usual(len(took), median(took), took[ceil(0.95 * len(took)) - 1])

    def bars(self, now: datetime) -> tuple[Bar, ...]:
        """The newest of them from old to new, as high as they took long."""
        shown = self.runs[:BARS][::-1]
        longest = max((run.seconds(now) for run in shown), default=0.0) or 1.0
        first = BARS - len(shown)
        return tuple(
            _bar(run, run.seconds(now) / longest, first + n) for n, run in enumerate(shown)
        )

    @property
    def words(self) -> str:
        """The drawn ones, for who does not see them: "Last 8 runs: 6 completed, 2 failed"."""
        shown = self.runs[:BARS]
        states = [run.state if run.state in TERMINAL else "under way" for run in shown]
        parts = [f"{states.count(state)} {state}" for state in dict.fromkeys(states)]
        return f"Last {len(shown)} run{'s' if len(shown) > 1 else ''}: {', '.join(parts)}"

    def completed_after(self, job_id: int) -> Run | None:
        """The latest run that completed after that job was submitted."""
        return next((r for r in self.runs if r.id > job_id and r.state == JobState.COMPLETED), None)


NONE = LastRuns()
_KINDS = {JobState.COMPLETED: "ok", JobState.FAILED: "bad", JobState.CANCELLED: "can"}


def _bar(run: Run, share: float, place: int) -> Bar:
    height = max(_LEAST_HEIGHT, share * _HEIGHT)
    return Bar(
        _KINDS.get(run.state, "run"), place * _STEP, f"{_HEIGHT - height:.1f}", f"{height:.1f}"
    )


def coarse(seconds: float) -> str:
    """A usual or estimated length in words: no more of it than anybody can know."""
    step = 60 if seconds >= 600 else 10 if seconds >= 60 else 5 if seconds >= 10 else 1
    return duration_text(max(step, round(seconds / step) * step))


def name_of(job: Job) -> Name:
    """What its runs are found by."""
    return job.project_id, job.name


def last_runs(names: Collection[Name]) -> dict[Name, LastRuns]:
    """The last runs of names that the actor was allowed to learn of; one query."""
    asked = sorted(set(names))
    if not asked:
        return {}
    values = {
        "projects": [project for project, _ in asked],
        "names": [name for _, name in asked],
        "most": MOST_RUNS,
    }
    found: dict[Name, list[Run]] = {name: [] for name in asked}
    for project, name, job, state, started_at, finished_at in fetch("last_runs", values):
        found[project, name].append(Run(job, JobState(state), started_at, finished_at))
    return {name: LastRuns(tuple(runs)) for name, runs in found.items()}


def newest_of_each(jobs: Iterable[Job], most: int) -> Sequence[Job]:
    """The first job of each name, in their order, at most so many."""
    first: dict[Name, Job] = {}
    for job in jobs:
        first.setdefault(name_of(job), job)
    return list(first.values())[:most]
