"""What the page of the queue shows: a sentence, room and pace, and the jobs that wait in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import QueryDict
from django.utils import timezone

from jobs.demands import QueuedDemand
from jobs.list_page import encoded
from jobs.models import Job
from jobs.queue_counts import Waits, waiting_counts
from jobs.queue_flow import HOURS, flow
from jobs.queue_groups import BACKOFF, BY_SCARCE, GROUPS, HELD
from jobs.queue_list import (
    Count,
    Room,
    by_code,
    grouped,
    jobs_listed,
    projects_seen,
    scarcities,
    wanted_of,
)
from jobs.queue_pace import drain_of, flow_of
from jobs.queue_shares import key_shares, project_shares
from jobs.queue_walk import Place, Spot, place_of, walk
from jobs.reasons import reason_text
from jobs.selectors import job_any
from jobs.states import JobState
from jobs.true_order import TOP
from jobs.whole_line import whole_line
from projects.actor import Actor
from projects.models import Project, Role
from projects.selectors import project_named, projects_of
from providers.readings import Capacity, ProviderReading, loads, totals
from providers.selectors import provider_list, queue_is_planned

PAGE_SIZE = 50
Lacking = Mapping[str, Sequence[tuple[QueuedDemand, int]]]
_MAX_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address asks for, and what is wrong with it in sentences."""

    project: Project | None = None
    why: str = ""
    problems: tuple[str, ...] = ()

    def as_query(self, **other: str) -> dict[str, list[str]]:
        """The fields that ask for the same again, but for those given here."""
        fields = {"project": self.project.slug if self.project else "", "why": self.why} | other
        return {name: [value] for name, value in fields.items() if value}


@dataclass(frozen=True, slots=True)
class Chip:
    """One group to filter by, with how many jobs are in it."""

    title: str
    shape: str
    count: str
    query: str
    current: bool


@dataclass(frozen=True, slots=True)
class Row:
    """A job of the list. `place` is None once it waits no more, which `why` then tells."""

    job: Job
    place: Place | None
    why: str
    changeable: bool

    @property
    def risen(self) -> str:
        """To what its priority has risen while it waited; "" while it has not."""
        level = self.place.level if self.place is not None else None
        if level is None or level <= self.job.priority:
            return ""
        return "overdue" if level > TOP else str(level)

    @property
    def in_queue(self) -> bool:
        """True where it has a number: neither held nor before its retry."""
        return self.place is not None and self.place.number is not None


def asked(actor: Actor, query: QueryDict) -> Asked:
    """Reads an address."""
    problems: list[str] = []
    why, slug = query.get("why", ""), query.get("project", "")
    if why and why not in GROUPS:
        problems.append(f"“{why[:40]}” is nothing to wait for; use one of: {', '.join(GROUPS)}.")
    project = project_named(actor, slug) if slug else None
    if slug and project is None:
        problems.append(f"There is no project “{slug[:63]}” that you can see.")
    return Asked(project, why if why in GROUPS else "", tuple(problems))


def whole(actor: Actor, query: QueryDict) -> dict[str, Any]:
    """The page."""
    found = asked(actor, query)
    slugs = list(projects_of(actor).values_list("slug", flat=True)[:50])
    places = loads(provider_list(actor))
    waiting = waiting_counts(_projects(actor, found))
    lacking = scarcities(waiting, _room(places))
    return (
        {"slugs": slugs, "asked": found}
        | _head(actor, found, places, waiting, lacking)
        | _rows(actor, found, query, lacking)
    )


def head(actor: Actor, found: Asked) -> dict[str, Any]:
    """The sentence, the groups with their counts, room and pace."""
    places = loads(provider_list(actor))
    waiting = waiting_counts(_projects(actor, found))
    return _head(actor, found, places, waiting, scarcities(waiting, _room(places)))


def rows(actor: Actor, found: Asked, query: QueryDict) -> dict[str, Any]:
    """One page of the jobs that wait. With `rows` those very jobs as they are now, and how the
    list has changed meanwhile."""
    lacking: Lacking = {}
    if found.why in BY_SCARCE:
        waiting = waiting_counts(_projects(actor, found))
        lacking = scarcities(waiting, _room(loads(provider_list(actor))))
    return _rows(actor, found, query, lacking)


def _head(
    actor: Actor,
    found: Asked,
    providers: Sequence[ProviderReading],
    waiting: Sequence[Waits],
    lacking: Lacking,
) -> dict[str, Any]:
    projects, now = _projects(actor, found), timezone.now()
    counts = by_code(waiting)
    groups = grouped(counts, lacking)
    capacities = totals(providers)
    stretches = flow(projects, now)
    in_queue = [count for key, count in groups.items() if key not in (BACKOFF, HELD)]
    moving = sum(count.number for key, count in groups.items() if GROUPS[key].moves)
    return {
        "asked": found,
        "head_query": encoded(found.as_query()),
        "total": sum(count.number for count in groups.values()),
        "total_text": f"{sum(count.number for count in groups.values()):,}",
        "told": _told(groups),
        "oldest": _oldest([c for code, c in counts.items() if code not in (BACKOFF, HELD)]),
        "wanted": _wanted(in_queue),
        "free": _free(capacities) if providers else "",
        "chips": _chips(found, groups),
        "capacities": capacities,
        "planned": queue_is_planned(),
        "flow": flow_of(stretches),
        "flow_hours": HOURS,
        "drain": drain_of(stretches, moving, now),
        "stuck": sum(count.number for count in in_queue) - moving,
    } | _shares(projects, waiting)


def _shares(projects: list[int] | None, waiting: Sequence[Waits]) -> dict[str, Any]:
    """By project, where that tells more than the sentence does, and by key."""
    found, keys = project_shares(waiting), key_shares(projects)
    bounded = any(one.paused or len(one.bounds) > 1 or one.project.max_running for one in found)
    return {
        "shares": found if len(found) > 1 or bounded else (),
        "keys": [(one, encoded(one.filter)) for one in keys],
    }


def _rows(actor: Actor, found: Asked, query: QueryDict, lacking: Lacking) -> dict[str, Any]:
    base, cursor = found.as_query(), query.get("cursor") or None
    context = {"rows_query": encoded(base, cursor), "first_query": encoded(base), "asked": found}
    if found.problems:
        return context | {"rows": [], "kept": ""}
    projects, filters = _projects(actor, found), {**base, "list": ["queue"]}
    after = Spot.read(cursor, filters) if cursor else None
    line = whole_line(after.moment if after else None)
    wanted = wanted_of(projects, found.why, lacking)
    page = walk(line, wanted, limit=PAGE_SIZE, filters=filters, after=after)
    fresh = {place.job: place for place in page.items}
    kept = _numbers(query.get("rows", ""))
    jobs = jobs_listed(projects, kept or fresh)
    places = {pk: place_of(line, jobs[pk]) for pk in kept if pk in jobs} if kept else fresh
    mine = actor.project_ids(Role.SUBMITTER)
    shown = [_row(jobs[pk], places[pk], mine) for pk in places if pk in jobs]
    return context | {
        "rows": shown,
        "selectable": mine is None or bool(mine),
        "kept": ",".join(str(row.job.pk) for row in shown),
        "gone": sum(row.place is None for row in shown),
        "came": _came(list(fresh), set(kept), more=page.next_cursor is not None) if kept else 0,
        "next_query": encoded(base, page.next_cursor) if page.next_cursor else "",
        "paged": cursor is not None,
        "filtered": bool(base),
        "nowhere": actor.belongs_nowhere,
        "has_jobs": bool(shown) or job_any(actor),
    }


def _projects(actor: Actor, found: Asked) -> list[int] | None:
    return projects_seen(actor, found.project.pk if found.project else None)


def _room(found: Sequence[ProviderReading]) -> Room:
    used = {one.provider.pk: one.use for one in found}
    return Room([one.provider for one in found], used, timezone.now())


def _free(capacities: Sequence[Capacity]) -> str:
    """What is free in words: "14 CPU, 20 GiB and 3 slots"; "nothing" where there is nothing."""
    units = {"Memory": "", "Slots": " slots", "GPUs": " GPU"}
    words = [one.free_text + units.get(one.word, f" {one.word}") for one in capacities if one.total]
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:]))) or "nothing"


def _chips(found: Asked, groups: dict[str, Count]) -> list[Chip]:
    """All, then each group that has jobs, and the chosen one also when it has none."""
    total = sum(count.number for count in groups.values())
    chips = [Chip("All", "", f"{total:,}", encoded(found.as_query(why="")), not found.why)]
    for key, group in GROUPS.items():
        if key in groups or key == found.why:
            number = groups[key].number if key in groups else 0
            query = encoded(found.as_query(why=key))
            chips.append(Chip(group.title, group.shape, f"{number:,}", query, key == found.why))
    return chips


def _told(groups: Mapping[str, Count]) -> list[str]:
    """The groups in words, the largest first, those that are not in the queue last."""
    ordered = sorted(groups.items(), key=lambda one: (one[0] in (BACKOFF, HELD), -one[1].number))
    return [f"{count.number:,} {GROUPS[key].words(count.number)}" for key, count in ordered]


def _oldest(counts: Sequence[Count]) -> datetime | None:
    return min((count.oldest for count in counts if count.oldest), default=None)


def _wanted(counts: Sequence[Count]) -> tuple[int, int] | None:
    """What those in the queue ask for together: thousandths of a core, and MiB."""
    cpu = sum(count.cpu_millis for count in counts)
    return (cpu, sum(count.memory_mb for count in counts)) if cpu else None


def _row(job: Job, place: Place | None, changeable: frozenset[int] | None) -> Row:
    may = place is not None and (changeable is None or job.project_id in changeable)
    return Row(job, place, _left(job) if place is None else reason_text(*job.told), may)


def _left(job: Job) -> str:
    """What became of a job that was in the list."""
    if job.state in (JobState.SCHEDULED, JobState.RUNNING) and job.provider is not None:
        return f"{job.state.capitalize()} on {job.provider.name}."
    return reason_text(*job.told)


def _came(fresh: list[int], kept: set[int], *, more: bool) -> int:
    """How many came in between those that were listed; further ones only moved up."""
    if more:
        last = max((n for n, pk in enumerate(fresh) if pk in kept), default=len(fresh))
        fresh = fresh[:last]
    return sum(pk not in kept for pk in fresh)


def _numbers(text: str) -> list[int]:
    """The ids of a list that is on somebody's screen, each once."""
    parts = (part for part in text.split(",") if part.isascii() and part.isdecimal())
    ids = (int(part) for part in parts if len(part) < 20)
    return list(dict.fromkeys(pk for pk in ids if pk <= _MAX_ID))[:PAGE_SIZE]
