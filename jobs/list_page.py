"""What the list of jobs shows: the query as it was typed, counts by state, one page of rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict

from jobs.curl import curl_get
from jobs.filters import JobFilter, read_filter
from jobs.models import SavedView
from jobs.saved_views import views_of
from jobs.selectors import job_any, job_page, job_state_counts, jobs_after
from jobs.sorts import Sort, read_sort
from jobs.states import JobState
from jobs.usual import usual_of
from projects.actor import Actor
from projects.errors import Invalid
from projects.models import Role
from projects.selectors import projects_of
from providers.selectors import provider_list

PAGE_SIZE = 50
MOST_ARRIVED = 100
EVERYTHING = "all"
"""The address of all jobs; without anything the page opens the person's default view."""
_MAX_ID = 2**63 - 1
_NO_WORDS = ("q", "sort", "cursor", "newest", EVERYTHING)
Counts = Mapping[JobState, tuple[int, bool]]


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing to choose: a state, an order, a view. `count` is how many jobs that lists."""

    word: str
    query: str
    current: bool
    shape: str = ""
    count: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address asks for: the filter and its order, or all jobs and what is wrong with
    the words."""

    wanted: JobFilter
    typed: str
    sort: Sort = Sort.NEWEST
    problems: tuple[str, ...] = ()

    def address(self, cursor: str | None = None) -> str:
        """The query string that asks for the same again, also where it cannot be read."""
        words = {"q": [self.typed]} if self.problems else self.wanted.as_query()
        return encoded(words | self.sort.as_query(), cursor)

    def of(self, wanted: JobFilter) -> str:
        """The query string of another filter, in this order where its jobs have it."""
        return address_of(wanted, self.sort if self.sort.fits(wanted) else Sort.NEWEST)


def asked(query: QueryDict) -> Asked:
    """Reads an address; what was typed is kept, whatever it is. An order that the filter's
    jobs do not have gives way: a person changes the words after the order."""
    try:
        wanted = read_filter(query)
        sort = read_sort(query.getlist("sort"))
        return Asked(wanted, str(wanted), sort if sort.fits(wanted) else Sort.NEWEST)
    except Invalid as error:
        typed = " ".join(filter(None, (query.get("q", ""), *_fields(query))))
        problems = tuple(problem.detail for problem in error.problems)
        return Asked(JobFilter(), typed, problems=problems)


def address_of(wanted: JobFilter, sort: Sort = Sort.NEWEST) -> str:
    """The query string of a list."""
    return encoded(wanted.as_query() | sort.as_query())


def address_of_view(view: SavedView) -> str:
    """The query string of what a view shows."""
    sort = {"sort": [view.sort]} if view.sort != Sort.NEWEST else {}
    return encoded(({"q": [view.query]} if view.query else {}) | sort)


def whole(actor: Actor, query: QueryDict, *, api_url: str) -> dict[str, Any]:
    """The page: views, query, counts, rows; `api_url` is where the API lists jobs."""
    found = asked(query)
    here = found.address()
    return (
        rows(actor, found, query)
        | counts(actor, found)
        | {
            "typed": found.typed,
            "sort": found.sort,
            "sorts": sorts(found),
            "views": views(actor, found),
            "curl": curl_get(api_url if here == EVERYTHING else f"{api_url}?{here}"),
            "projects": [
                (slug, found.of(found.wanted.narrowed("project", slug)))
                for slug in projects_of(actor).values_list("slug", flat=True)[:20]
            ],
        }
    )


def rows(actor: Actor, found: Asked, query: QueryDict) -> dict[str, Any]:
    """One page of rows; `newest` holds it at that job and counts what came after it."""
    cursor = query.get("cursor") or None
    if found.problems:
        return {"problems": found.problems, "query": found.address(), "jobs": []}
    newest = None if cursor else _id(query.get("newest", ""))
    page = job_page(
        actor, found.wanted, sort=found.sort, limit=PAGE_SIZE, cursor=cursor, newest=newest
    )
    filtered = bool(found.wanted.terms)
    return {
        "jobs": page.items,
        "usual": usual_of(page.items),
        "query": found.address(cursor),
        "first_query": found.address(),
        "next_query": found.address(page.next_cursor) if page.next_cursor else "",
        "searched_to": page.searched_to,
        "paged": cursor is not None,
        "filtered": filtered,
        "unknown": unknown_names(actor, found.wanted) if filtered and not page.items else [],
        "order": found.sort,
        "nowhere": actor.belongs_nowhere,
        "has_any": bool(page.items) or (filtered and job_any(actor)),
        "newest": newest or (page.newest if page.items and not cursor else ""),
        "arrived": jobs_after(actor, found.wanted, newest, most=MOST_ARRIVED) if newest else 0,
        "most_arrived": MOST_ARRIVED,
        "changeable": actor.project_ids(Role.SUBMITTER),
        "words": str(found.wanted),
    }


def unknown_names(actor: Actor, wanted: JobFilter) -> list[str]:
    """What is asked for by a name of nothing that this person sees: "project etl"."""
    known = {
        "project": set(projects_of(actor).values_list("slug", flat=True)),
        "provider": {provider.name for provider in provider_list(actor)},
    }
    return [f"{key} {n}" for key in known for n in wanted.values(key) if n not in known[key]]


def counts(actor: Actor, found: Asked) -> dict[str, Any]:
    """The state filters with their counts."""
    numbers = job_state_counts(actor, found.wanted)
    listed = [numbers[state] for state in found.wanted.states()]
    return {
        "chips": chips(found, numbers),
        "chip_query": found.address(),
        "matching": count_text(sum(n for n, _ in listed), all(ok for _, ok in listed)),
    }


def chips(found: Asked, numbers: Counts) -> list[Choice]:
    """All, then each state, with counts; choosing one keeps the other words."""
    total = sum(number for number, _ in numbers.values())
    exact = all(ok for _, ok in numbers.values())
    plain = found.wanted.without_states()
    everything = count_text(total, exact)
    made = [Choice("All", found.of(plain), plain == found.wanted, count=everything)]
    for state in JobState:
        made.append(
            Choice(
                state.value.capitalize(),
                found.of(found.wanted.of_state(state)),
                found.wanted.states() == {state},
                shape=state.value,
                count=count_text(*numbers[state]),
            )
        )
    return made


def sorts(found: Asked) -> list[Choice]:
    """The orders to choose from; one that only some jobs have narrows the list to them."""
    return [
        Choice(
            sort.label,
            address_of(sort.fitting(found.wanted), sort),
            sort == found.sort,
            note="" if sort.fits(found.wanted) else f"{sort.state} only",
        )
        for sort in Sort
    ]


def views(actor: Actor, found: Asked) -> list[Choice]:
    """All jobs, then the person's own views; none while there is no view."""
    saved = views_of(actor)
    here = "" if found.problems else found.address()
    everything = encoded({})
    made = [Choice("All jobs", everything, here == everything)] if saved else []
    for view in saved:
        query = address_of_view(view)
        made.append(Choice(view.name, query, query == here, note="default" * view.is_default))
    return made


def count_text(number: int, exact: bool) -> str:
    """A number that may be counted to a bound only: "942", "1,000+"."""
    return f"{number:,}" if exact else f"{number:,}+"


def encoded(query: dict[str, list[str]], cursor: str | None = None) -> str:
    """A query string; that of all jobs where nothing is asked."""
    asked_for = query | ({"cursor": [cursor]} if cursor else {})
    return urlencode(asked_for, doseq=True) or EVERYTHING


def _fields(query: QueryDict) -> Iterable[str]:
    """The fields beside `q`, as words."""
    for key, values in query.lists():
        if key not in _NO_WORDS:
            yield from (f"{key}:{value}" for value in values if value)


def _id(text: str) -> int | None:
    ok = text.isascii() and text.isdecimal() and len(text) < 20 and int(text) <= _MAX_ID
    return int(text) if ok else None
