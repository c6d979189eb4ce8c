"""The jobs that wait, as far as the actor may see them: counted by what they wait for, and
page by page in the planner's order.

Which measure a job without room lacks is worked out now, demand by demand, from what providers
have free; all else is what the planner has stored. So a count and the list it leads to are of
one mind as long as the queue and the providers stay as they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jobs.models import Job
from jobs.orders import SpecUnreadable, requirements
from jobs.queue_groups import BY_SCARCE, GROUPS, NO_CAPACITY, ROOM, codes_of, group_of, named_codes
from jobs.queue_groups import scarce as scarce_on
from jobs.sql import fetch
from projects.actor import Actor
from projects.cursors import Page, make_key_cursor, read_key_cursor
from providers.fit import Answer, Need, fit
from providers.models import Provider
from providers.selectors import ProviderUse

MOST_DEMANDS = 100
"""Demands told apart by what they lack; jobs of rarer ones wait "for room"."""
_BEFORE_ALL = (-1, 0, 0)


@dataclass(frozen=True, slots=True)
class Demand:
    """What some jobs ask for, as it is stored."""

    cpu_millis: int
    memory_mb: int
    gpus: int
    provider: str
    requires: Any


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


@dataclass(frozen=True, slots=True)
class Place:
    """Where a job stands. `part`: 0 in the queue, 1 backing off, 2 held; `number` from 1 among
    all jobs in the queue, whoever may see them."""

    job: int
    priority: int
    part: int
    number: int | None


def projects_seen(actor: Actor, project: int | None) -> list[int] | None:
    """The projects whose jobs are listed; None: all. `project` is one that the actor may see."""
    if project is not None:
        return [project]
    visible = actor.project_ids()
    return None if visible is None else sorted(visible)


def waiting_counts(projects: list[int] | None) -> dict[str, Count]:
    """The jobs that wait, by stored reason (`no_capacity` as one)."""
    rows = fetch("waiting_counts", {"projects": projects})
    return {code: Count(*numbers) for code, *numbers in rows}


def scarcities(projects: list[int] | None, room: Room) -> dict[str, list[tuple[Demand, int]]]:
    """What jobs without room lack: the demands of each group, and how many jobs make them."""
    rows = fetch("waiting_demands", {"projects": projects, "most": MOST_DEMANDS})
    found: dict[str, list[tuple[Demand, int]]] = {key: [] for key in BY_SCARCE}
    for cpu, memory, gpus, provider, requires, number in rows:
        stored = json.loads(requires) if isinstance(requires, str) else requires
        demand = Demand(cpu, memory, gpus, provider, stored)
        found[_scarce(demand, room)].append((demand, number))
    return found


def grouped(
    counts: Mapping[str, Count], lacking: Mapping[str, Sequence[tuple[Demand, int]]]
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


def waiting_page(
    projects: list[int] | None,
    why: str,
    lacking: Mapping[str, Sequence[tuple[Demand, int]]],
    *,
    limit: int,
    cursor: str | None = None,
    filters: Mapping[str, Sequence[str]],
) -> Page[Place]:
    """A page of the jobs that wait for `why` (a group, or empty: for whatever), in order.

    Raises BadRequest for a cursor of another list.
    """
    bound = {**filters, "list": ["queue"]}
    after = read_key_cursor(cursor, bound, len(_BEFORE_ALL)) if cursor else _BEFORE_ALL
    rows = _rows(projects, after=after, most=limit + 1, **_condition(why, lacking))
    items = rows[:limit]
    if len(rows) <= limit:
        return Page(items)
    last = items[-1]
    return Page(items, make_key_cursor((last.part, last.priority, last.job), bound))


def places_of(projects: list[int] | None, jobs: Sequence[int]) -> dict[int, Place]:
    """Where these jobs stand now; those that do not wait any more are left out."""
    rows = _rows(projects, after=_BEFORE_ALL, most=len(jobs), only=list(jobs))
    return {place.job: place for place in rows}


def jobs_listed(projects: list[int] | None, jobs: Iterable[int]) -> dict[int, Job]:
    """The rows of these jobs, as far as they are of these projects."""
    found = Job.objects.filter(pk__in=list(jobs))
    if projects is not None:
        found = found.filter(project__in=projects)
    found = found.select_related("project", "provider", "submitted_by")
    return {job.pk: job for job in found.defer("spec", "secrets", "idempotency_digest")}


def _scarce(demand: Demand, room: Room) -> str:
    try:
        conditions = requirements(demand.requires)
    except SpecUnreadable:
        conditions = ()
    need = Need(demand.cpu_millis, demand.memory_mb, demand.gpus, demand.provider, conditions)
    fits = (fit(need, p, room.used[p.pk], room.now) for p in room.providers)
    return scarce_on([one for one in fits if one.answer is Answer.FULL])


def _told_apart(
    count: Count, lacking: Mapping[str, Sequence[tuple[Demand, int]]]
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


def _condition(why: str, lacking: Mapping[str, Sequence[tuple[Demand, int]]]) -> dict[str, Any]:
    """The parameters of waiting_rows.sql that ask for one group."""
    if not why:
        return {}
    codes = codes_of(why)
    if codes is None:
        return {"other_codes": list(named_codes())}
    if why not in BY_SCARCE:
        return {"codes": list(codes)}
    # Those for room are all that lack nothing by name, rare demands included.
    keys = [key for key in BY_SCARCE if key != ROOM] if why == ROOM else [why]
    demands = [demand for key in keys for demand, _ in lacking[key]]
    return {"codes": list(codes), "among": why != ROOM, "demands": _as_json(demands)}


def _as_json(demands: Sequence[Demand]) -> str:
    return json.dumps([
        {"cpu_millis": d.cpu_millis, "memory_mb": d.memory_mb, "gpus": d.gpus,
         "provider": d.provider, "requires": d.requires}
        for d in demands
    ])  # fmt: skip


def _rows(
    projects: list[int] | None,
    *,
    after: Sequence[int],
    most: int,
    only: list[int] | None = None,
    codes: list[str] | None = None,
    other_codes: list[str] | None = None,
    among: bool | None = None,
    demands: str = "[]",
) -> list[Place]:
    part, priority, last = after
    values = {
        "projects": projects, "only": only, "codes": codes, "other_codes": other_codes,
        "among": among, "demands": demands, "part": part, "priority": priority, "id": last,
        "most": most,
    }  # fmt: skip
    rows = fetch("waiting_rows", values)
    return [Place(job, priority, part, number) for part, priority, job, number in rows]
