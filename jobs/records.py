"""How long the jobs of one name usually take, by the last of them that completed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from jobs.last_runs import Name, asked_for
from jobs.sql import fetch
from projects.quantities import duration_text

MOST_RUNS = 30
ENOUGH = 5
"""So many completed runs make what they took usual; fewer say nothing."""


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
class Record:
    """What the last runs of a name tell: what is usual, where they are enough to tell, and the
    newest job that completed."""

    usual: Usual | None = None
    completed: int = 0


NO_RECORD = Record()


def coarse(seconds: float) -> str:
    """A usual or estimated length in words: no more of it than anybody can know."""
    step = 60 if seconds >= 600 else 10 if seconds >= 60 else 5 if seconds >= 10 else 1
    return duration_text(max(step, round(seconds / step) * step))


def records(names: Collection[Name]) -> dict[Name, Record]:
    """The records of names that the actor was allowed to learn of; one query."""
    if not names:
        return {}
    found = {}
    for project, name, runs, half, most, completed in fetch("records", asked_for(names, MOST_RUNS)):
        usual = Usual(runs, half, most) if runs >= ENOUGH else None
        found[project, name] = Record(usual, completed or 0)
    return found
