"""What the list of jobs shows: the query as it was typed, counts by state, one page of rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict

from jobs.filters import JobFilter, read_filter
from jobs.selectors import job_any, job_page, job_state_counts, jobs_after
from jobs.states import JobState
from projects.actor import Actor
from projects.errors import Invalid
from projects.models import Role
from projects.selectors import projects_of

PAGE_SIZE = 50
MOST_ARRIVED = 100
_MAX_ID = 2**63 - 1
Counts = Mapping[JobState, tuple[int, bool]]


@dataclass(frozen=True, slots=True)
class Chip:
    """One state to filter by, with how many jobs are in it."""

    word: str
    shape: str
    count: str
    query: str
    current: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address asks for: the filter, or all jobs and what is wrong with the words."""

    wanted: JobFilter
    typed: str
    problems: tuple[str, ...] = ()

    def as_query(self) -> dict[str, list[str]]:
        """The fields that ask for the same again, also where they cannot be read."""
        return {"q": [self.typed]} if self.problems else self.wanted.as_query()


def asked(query: QueryDict) -> Asked:
    """Reads an address; what was typed is kept, whatever it is."""
    try:
        wanted = read_filter(query)
        return Asked(wanted, str(wanted))
    except Invalid as error:
        typed = " ".join(filter(None, (query.get("q", ""), *_fields(query))))
        return Asked(JobFilter(), typed, tuple(problem.detail for problem in error.problems))


def whole(actor: Actor, query: QueryDict) -> dict[str, Any]:
    """The page: query, counts, rows."""
    found = asked(query)
    return (
        rows(actor, found, query)
        | counts(actor, found)
        | {
            "typed": found.typed,
            "projects": [
                (slug, encoded(found.wanted.narrowed("project", slug).as_query()))
                for slug in projects_of(actor).values_list("slug", flat=True)[:20]
            ],
            "may_submit": actor.project_ids(Role.SUBMITTER) != frozenset(),
        }
    )


def rows(actor: Actor, found: Asked, query: QueryDict) -> dict[str, Any]:
    """One page of rows; `newest` holds it at that job and counts what came after it."""
    base, cursor = found.as_query(), query.get("cursor") or None
    if found.problems:
        return {"problems": found.problems, "query": encoded(base), "jobs": []}
    newest = None if cursor else _id(query.get("newest", ""))
    page = job_page(actor, found.wanted, limit=PAGE_SIZE, cursor=cursor, newest=newest)
    return {
        "jobs": page.items,
        "query": encoded(base, cursor),
        "first_query": encoded(base),
        "next_query": encoded(base, page.next_cursor) if page.next_cursor else "",
        "paged": cursor is not None,
        "filtered": bool(base),
        "has_any": bool(page.items) or (bool(base) and job_any(actor)),
        "newest": newest or (page.items[0].pk if page.items and not cursor else ""),
        "arrived": jobs_after(actor, found.wanted, newest, most=MOST_ARRIVED) if newest else 0,
        "most_arrived": MOST_ARRIVED,
        "changeable": actor.project_ids(Role.SUBMITTER),
        "words": str(found.wanted),
    }


def counts(actor: Actor, found: Asked) -> dict[str, Any]:
    """The state filters with their counts."""
    numbers = job_state_counts(actor, found.wanted)
    listed = [numbers[state] for state in found.wanted.states()]
    return {
        "chips": chips(found.wanted, numbers),
        "chip_query": encoded(found.as_query()),
        "matching": count_text(sum(n for n, _ in listed), all(ok for _, ok in listed)),
    }


def chips(wanted: JobFilter, numbers: Counts) -> list[Chip]:
    """All, then each state, with counts; choosing one keeps the other words."""
    total = sum(number for number, _ in numbers.values())
    exact = all(ok for _, ok in numbers.values())
    plain = wanted.without_states()
    found = [Chip("All", "", count_text(total, exact), encoded(plain.as_query()), plain == wanted)]
    for state in JobState:
        query = encoded(wanted.of_state(state).as_query())
        current = wanted.states() == {state}
        found.append(
            Chip(state.value.capitalize(), state.value, count_text(*numbers[state]), query, current)
        )
    return found


def count_text(number: int, exact: bool) -> str:
    """A number that may be counted to a bound only: "942", "1,000+"."""
    return f"{number:,}" if exact else f"{number:,}+"


def encoded(query: dict[str, list[str]], cursor: str | None = None) -> str:
    """A query string."""
    return urlencode(query | ({"cursor": [cursor]} if cursor else {}), doseq=True)


def _fields(query: QueryDict) -> Iterable[str]:
    """The fields beside `q`, as words."""
    for key, values in query.lists():
        if key not in ("q", "cursor", "newest"):
            yield from (f"{key}:{value}" for value in values if value)


def _id(text: str) -> int | None:
    ok = text.isascii() and text.isdecimal() and len(text) < 20 and int(text) <= _MAX_ID
    return int(text) if ok else None
