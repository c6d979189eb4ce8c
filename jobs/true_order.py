"""The true order of all that waits in line, and places in it. Pure; arrays, because a line can
have a hundred thousand jobs.

It is the order in which the planner walks them (orchestrator/scheduling/order.py tells it, and
a test compares the two): by level, which is a job's priority and rises with its age; then,
unless they are overdue, those of the project that uses least by its weight, with what runs and
what comes before in this same order and is not refused; then by when the wait began, then by
number.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TOP, OVERDUE = 100, 101
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Key = tuple[int, float, float, int]
"""-level, turn, since, job: sorts as the line stands."""


@dataclass(frozen=True, slots=True)
class Queued:
    """The jobs of one class. `refused`: the planner has told them a reason to wait, so they use
    nothing up before those behind them. `demand` and `used`, what their project uses, are
    thousandths of a core, MiB and GPUs; `jobs` and `since`, seconds of the epoch, are eight
    bytes each in network order."""

    project: int
    weight: int
    priority: int
    demand: tuple[int, int, int]
    used: tuple[int, int, int]
    jobs: bytes
    since: bytes
    refused: bool = False


class TrueOrder:
    """A line as it stands at a moment: `jobs` in their order, and with each the index of its
    class among those that were given."""

    def __init__(
        self,
        classes: Sequence[Queued],
        totals: tuple[int, int, int],
        moment: float,
        patience: int,
    ) -> None:
        """`totals`: all that providers have, as `Queued.demand`; `patience` in seconds."""
        self.moment = moment
        sizes = np.array([len(one.jobs) // 8 for one in classes], np.int64)
        of_class = np.repeat(np.arange(len(classes)), sizes)
        jobs = np.frombuffer(b"".join(one.jobs for one in classes), ">i8").astype(np.int64)
        since = np.frombuffer(b"".join(one.since for one in classes), ">f8").astype(np.float64)
        priority = _column([one.priority for one in classes])[of_class]
        level = _level(priority, moment - since, patience)
        project = _column([one.project for one in classes])[of_class]
        # Each project for itself first: what comes before a job in it decides on its turn.
        by_project = np.lexsort((jobs, since, -level, project))
        turn = np.empty(len(jobs))
        turn[by_project] = _turn(classes, of_class[by_project], project[by_project], totals)
        turn[level == OVERDUE] = 0.0
        order = np.lexsort((jobs, since, turn, -level))
        self.jobs: Ints = jobs[order]
        self.classes: Ints = of_class[order]
        self._since: Floats = since[order]
        self._turn: Floats = turn[order]
        self._level: Ints = level[order]

    def __len__(self) -> int:
        return len(self.jobs)

    @property
    def oldest(self) -> float | None:
        """Since when the one that waits longest waits, in seconds of the epoch."""
        return float(self._since.min()) if len(self) else None

    def index(self, job: int) -> int | None:
        """Where a job stands, from 0; None for one that is not in line."""
        found = np.flatnonzero(self.jobs == job)
        return int(found[0]) if len(found) else None

    def key(self, index: int) -> Key:
        """What the job there is sorted by."""
        return (
            -int(self._level[index]),
            float(self._turn[index]),
            float(self._since[index]),
            int(self.jobs[index]),
        )

    def behind(self, key: Key) -> int:
        """The index of the first job that stands behind this key."""
        return bisect_right(range(len(self)), key, key=self.key)


def _column(values: Sequence[int]) -> Ints:
    return np.array(values, np.int64)


def _level(priority: Ints, waited: Floats, patience: int) -> Ints:
    seconds = np.maximum(0, waited.astype(np.int64))
    risen = priority + (TOP - priority) * seconds // max(1, patience)
    return np.where(waited >= patience, OVERDUE, risen)


def _turn(
    classes: Sequence[Queued], of_class: Ints, project: Ints, totals: tuple[int, int, int]
) -> Floats:
    """The dominant share of each job's project when its turn comes, by weight; all in the order
    of projects, and within each as its jobs stand."""
    share = np.zeros(len(of_class))
    firsts = np.flatnonzero(np.diff(project, prepend=-1))
    lengths = np.diff(firsts, append=len(project))
    for measure, total in enumerate(totals):
        if total:
            starts = [0 if one.refused else one.demand[measure] for one in classes]
            demand = _column(starts)[of_class]
            used = _column([one.used[measure] for one in classes])[of_class]
            before = np.cumsum(demand) - demand
            before -= np.repeat(before[firsts], lengths)
            share = np.maximum(share, (used + before) / total)
    return share / _column([one.weight for one in classes])[of_class]
