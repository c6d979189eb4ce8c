"""Walking through all that waits, page by page: first the line in its true order, then what
stands aside: what backs off before a retry, and what is held."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from jobs.models import Job
from jobs.sql import fetch
from jobs.states import JobState
from jobs.true_order import Key
from jobs.whole_line import ClassInLine, WholeLine
from projects.cursors import Page, make_key_cursor, read_key_cursor

IN_LINE, BACKING_OFF, HELD = PARTS = (0, 1, 2)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a job stands. `part` is one of PARTS. In line it has a `number`, from 1 among all
    jobs there, whoever may see them, and a `level`, to which its priority has risen."""

    job: int
    part: int
    number: int | None = None
    level: int | None = None


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a walk goes on: behind this key of that part, in the order of the moment in which
    it began. Keys of jobs aside are (-priority, 0, 0, job)."""

    moment: float
    part: int
    key: Key

    @classmethod
    def read(cls, cursor: str, filters: Mapping[str, Sequence[str]]) -> Spot:
        """Raises BadRequest for a cursor of another list."""
        moment, part, *key = read_key_cursor(cursor, filters, 6)
        return cls(moment, part, (key[0], key[1], key[2], key[3]))

    def cursor(self, filters: Mapping[str, Sequence[str]]) -> str:
        """The text that `read` reads."""
        return make_key_cursor((self.moment, self.part, *self.key), filters)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which jobs are listed: of these projects (None: of all) those in these parts; in line
    those whose class holds good."""

    projects: Sequence[int] | None
    parts: Sequence[int] = PARTS
    holds: Callable[[ClassInLine], bool] = lambda _: True

    def good(self, waiting: ClassInLine) -> bool:
        """Whether jobs of that class are listed."""
        mine = self.projects is None or waiting.project in self.projects
        return mine and IN_LINE in self.parts and self.holds(waiting)


def walk(
    line: WholeLine,
    wanted: Wanted,
    *,
    limit: int,
    filters: Mapping[str, Sequence[str]],
    after: Spot | None = None,
) -> Page[Place]:
    """A page of what is wanted. `filters` are what its cursor is bound to."""
    spots = list(_in_line(line, wanted, limit + 1, after))
    if len(spots) <= limit:
        spots += _aside(line.order.moment, wanted, limit + 1 - len(spots), after)
    places = [_place(line, spot) for spot in spots[:limit]]
    more = spots[limit - 1].cursor(filters) if len(spots) > limit else None
    return Page(places, more)


def place_of(line: WholeLine, job: Job) -> Place | None:
    """Where a job stands; None once it waits no more. One that is on its way into line has no
    number yet."""
    if job.state != JobState.PENDING:
        return None
    if not job.in_line:
        return Place(job.pk, HELD if job.held else BACKING_OFF)
    index = line.order.index(job.pk)
    return Place(job.pk, IN_LINE) if index is None else _numbered(line, index)


def _in_line(line: WholeLine, wanted: Wanted, most: int, after: Spot | None) -> list[Spot]:
    order = line.order
    if not len(order) or (after is not None and after.part != IN_LINE):
        return []
    first = 0 if after is None else order.behind(after.key)
    good = np.array([wanted.good(one) for one in line.classes])
    found = np.flatnonzero(good[order.classes[first:]])[:most] + first
    return [Spot(order.moment, IN_LINE, order.key(index)) for index in found.tolist()]


def _aside(moment: float, wanted: Wanted, most: int, after: Spot | None) -> list[Spot]:
    part, key = (after.part, after.key) if after is not None else (IN_LINE, (0, 0.0, 0.0, 0))
    values = {
        "projects": None if wanted.projects is None else list(wanted.projects),
        "parts": list(wanted.parts), "part": part, "minus": key[0], "id": key[3], "most": most,
    }  # fmt: skip
    return [
        Spot(moment, part, (-priority, 0.0, 0.0, job))
        for part, priority, job in fetch("waiting_aside", values)
    ]


def _place(line: WholeLine, spot: Spot) -> Place:
    job = spot.key[3]
    if spot.part != IN_LINE:
        return Place(job, spot.part)
    return _numbered(line, line.order.behind(spot.key) - 1)


def _numbered(line: WholeLine, index: int) -> Place:
    key = line.order.key(index)
    return Place(key[3], IN_LINE, index + 1, -key[0])
