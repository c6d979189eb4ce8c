"""The jobs that wait, as far as the actor may see them: counted by what they wait for, and
which of them a list of those has.

Which measure a job without room lacks is worked out now, demand by demand, from what providers
have free; all else is what the planner has stored. So a count and the list it leads to are of
one mind as long as the queue and the providers stay as they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from jobs.demands import QueuedDemand
from jobs.models import Job
from jobs.queue_counts import Waits
from jobs.queue_groups import (
    BACKOFF,
    BY_SCARCE,
    GROUPS,
    HELD,
    NO_CAPACITY,
    ROOM,
    codes_of,
    group_of,
    named_codes,
)
from jobs.queue_groups import scarce as scarce_on
from jobs.queue_walk import BACKING_OFF, IN_LINE, Wanted
from jobs.queue_walk import HELD as PART_HELD
from projects.actor import Actor
from providers.fit import Answer, fit
from providers.models import Provider
from providers.selectors import ProviderUse

MOST_DEMANDS = 100
"""Demands told apart by what they lack; jobs of rarer ones wait "for room"."""
_ASIDE = {BACKOFF: BACKING_OFF, HELD: PART_HELD}


@dataclass(frozen=True, slots=True)
class Count:
    """How many jobs of a group wait, since when the longest (where that is known), and what they
    ask for together."""

    number: int
    oldest: datetime | None = None
    cpu_millis: int = 0
    memory_mb: int = 0


@dataclass(frozen=True, slots=True)
class Room:
    """What providers have and what is given out: what "for memory" is worked out from."""

    providers: Sequence[Provider]
    used: Mapping[int, ProviderUse]
    now: datetime


def projects_seen(actor: Actor, project: int | None) -> list[int] | None:
    """The projects whose jobs are listed; None: all. `project` is one that the actor may see."""
    if project is not None:
        return [project]
    visible = actor.project_ids()
    return None if visible is None else sorted(visible)


def by_code(waiting: Iterable[Waits]) -> dict[str, Count]:
    """The jobs that wait, by stored reason (`no_capacity` as one)."""
    found: dict[str, Count] = {}
    for one in waiting:
        cpu, memory = one.number * one.demand.cpu_millis, one.number * one.demand.memory_mb
        count = Count(one.number, one.oldest, cpu, memory)
        found[one.code] = _together(found.get(one.code, Count(0)), count)
    return found


def scarcities(waiting: Iterable[Waits], room: Room) -> dict[str, list[tuple[QueuedDemand, int]]]:
    """What jobs without room lack: the demands of each group, the most frequent ones of all, and
    how many jobs make them."""
    numbers: Counter[QueuedDemand] = Counter()
    for one in waiting:
        if one.code == NO_CAPACITY:
            numbers[one.demand] += one.number
    found: dict[str, list[tuple[QueuedDemand, int]]] = {key: [] for key in BY_SCARCE}
    frequent = sorted(numbers, key=lambda demand: (-numbers[demand], demand))[:MOST_DEMANDS]
    for demand in frequent:
        found[_scarce(demand, room)].append((demand, numbers[demand]))
    return found


def grouped(
    counts: Mapping[str, Count], lacking: Mapping[str, Sequence[tuple[QueuedDemand, int]]]
) -> dict[str, Count]:
    """The counts by group, those without room told apart; groups of nothing are left out."""
    found: dict[str, Count] = {}
    for code, count in counts.items():
        if code == NO_CAPACITY:
            found |= dict(_told_apart(count, lacking))
        else:
            key = group_of(code)
            found[key] = _together(found.get(key, Count(0)), count)
    return {key: found[key] for key in GROUPS if key in found and found[key].number}


def wanted_of(
    projects: list[int] | None, why: str, lacking: Mapping[str, Sequence[tuple[QueuedDemand, int]]]
) -> Wanted:
    """Which jobs a list of those that wait for `why` (a group, or empty: for whatever) has."""
    if not why:
        return Wanted(projects)
    if why in _ASIDE:
        return Wanted(projects, (_ASIDE[why],))
    codes = codes_of(why)
    named = named_codes()
    if codes is None:
        return Wanted(projects, (IN_LINE,), lambda one: one.reason not in named)
    if why not in BY_SCARCE:
        return Wanted(projects, (IN_LINE,), lambda one: one.reason in codes)
    # Those for room are all that lack nothing by name, rare demands included.
    keys = [key for key in BY_SCARCE if key != ROOM] if why == ROOM else [why]
    demands = {demand for key in keys for demand, _ in lacking[key]}
    return Wanted(
        projects,
        (IN_LINE,),
        lambda one: one.reason in codes and (one.demand in demands) == (why != ROOM),
    )


def jobs_listed(projects: list[int] | None, jobs: Iterable[int]) -> dict[int, Job]:
    """The rows of these jobs, as far as they are of these projects."""
    found = Job.objects.filter(pk__in=list(jobs))
    if projects is not None:
        found = found.filter(project__in=projects)
    found = found.select_related("project", "provider", "queue_class")
    return {job.pk: job for job in found.defer("spec", "secrets", "idempotency_digest")}


def _scarce(demand: QueuedDemand, room: Room) -> str:
    fits = (fit(demand.need, p, room.used[p.pk], room.now) for p in room.providers)
    return scarce_on([one for one in fits if one.answer is Answer.FULL])


def _told_apart(
    count: Count, lacking: Mapping[str, Sequence[tuple[QueuedDemand, int]]]
) -> Iterable[tuple[str, Count]]:
    """Jobs without room by what they lack; what was not told apart waits for room."""
    rest = [count.number, count.cpu_millis, count.memory_mb]
    for key in BY_SCARCE:
        if key != ROOM:
            number = sum(n for _, n in lacking[key])
            cpu = sum(n * demand.cpu_millis for demand, n in lacking[key])
            memory = sum(n * demand.memory_mb for demand, n in lacking[key])
            rest = [a - b for a, b in zip(rest, (number, cpu, memory), strict=True)]
            yield key, Count(number, None, cpu, memory)
    yield ROOM, Count(rest[0], None, rest[1], rest[2])


def _together(one: Count, other: Count) -> Count:
    dates = [count.oldest for count in (one, other) if count.oldest]
    return Count(
        one.number + other.number,
        min(dates, default=None),
        one.cpu_millis + other.cpu_millis,
        one.memory_mb + other.memory_mb,
    )
