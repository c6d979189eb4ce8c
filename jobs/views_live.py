"""The live regions of the job pages: ordinary, authorised views of one fragment each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from jobs import job_page
from jobs.filters import JobFilter, read_filter
from jobs.selectors import attempts_of, job_any, job_get, job_state_counts
from jobs.selectors import job_page as page_of_jobs
from jobs.states import JobState
from projects.actor import Actor
from projects.errors import Invalid
from projects.models import Role
from projects.pages import fragment, page_actor, refusals, viewer_scope
from projects.selectors import projects_of

PAGE_SIZE = 50


@dataclass(frozen=True, slots=True)
class Chip:
    """One state to filter by, with how many jobs are in it."""

    word: str
    shape: str
    count: str
    query: str
    current: bool


def list_context(request: HttpRequest, actor: Actor) -> dict[str, Any]:
    """The whole list page: filters, counts, rows."""
    wanted, problem = _wanted(request)
    context = rows_context(request, actor, wanted)
    context |= {
        "wanted": wanted,
        "problem": problem,
        "chips": chips(actor, wanted),
        "projects": list(projects_of(actor).values_list("slug", flat=True)[:200]),
        "may_submit": actor.project_ids(Role.SUBMITTER) != frozenset(),
    }
    return context


def rows_context(request: HttpRequest, actor: Actor, wanted: JobFilter) -> dict[str, Any]:
    """One page of rows."""
    cursor = request.GET.get("cursor") or None
    page = page_of_jobs(actor, wanted, limit=PAGE_SIZE, cursor=cursor)
    query = wanted.as_query()
    return {
        "jobs": page.items,
        "query": _encoded(query, cursor),
        "first_query": _encoded(query),
        "next_query": _encoded(query, page.next_cursor) if page.next_cursor else "",
        "paged": cursor is not None,
        "filtered": bool(query),
        "has_any": bool(page.items) or (bool(query) and job_any(actor)),
    }


def chips(actor: Actor, wanted: JobFilter) -> list[Chip]:
    """All, then each state, with counts; choosing one keeps the other filters."""
    counts = job_state_counts(actor, wanted)
    base = wanted.without_states().as_query()
    total, exact = sum(n for n, _ in counts.values()), all(ok for _, ok in counts.values())
    found = [Chip("All", "", _count(total, exact), _encoded(base), not wanted.states)]
    for state in JobState:
        query = _encoded(base | {"state": [state.value]})
        current = wanted.states == {state}
        found.append(
            Chip(state.value.capitalize(), state.value, _count(*counts[state]), query, current)
        )
    return found


def _count(number: int, exact: bool) -> str:
    return f"{number:,}" if exact else f"{number:,}+"


def _encoded(query: dict[str, list[str]], cursor: str | None = None) -> str:
    return urlencode(query | ({"cursor": [cursor]} if cursor else {}), doseq=True)


def _wanted(request: HttpRequest) -> tuple[JobFilter, str]:
    """The filter of the address; of one that cannot be read, all jobs and what is wrong."""
    try:
        return read_filter(request.GET), ""
    except Invalid as error:
        return JobFilter(), "; ".join(problem.detail for problem in error.problems)


@require_safe
@refusals
def rows(request: HttpRequest) -> HttpResponse:
    """The rows of the list."""
    wanted, _ = _wanted(request)
    return fragment(request, "jobs/_rows.html", rows_context(request, page_actor(request), wanted))


@require_safe
@refusals
def counts(request: HttpRequest) -> HttpResponse:
    """The state filters with their counts."""
    wanted, _ = _wanted(request)
    context = {
        "chips": chips(page_actor(request), wanted),
        "first_query": _encoded(wanted.as_query()),
    }
    return fragment(request, "jobs/_chips.html", context)


@require_safe
@refusals
def header(request: HttpRequest, job_id: int) -> HttpResponse:
    """Title, sentence, buttons, what went wrong, phases."""
    actor = page_actor(request)
    job = job_get(actor, job_id)
    context = job_page.header(actor, job, attempts_of(job))
    mark = job_page.etag(job, viewer_scope(actor), "header")
    return fragment(request, "jobs/_header.html", context, etag=mark)


@require_safe
@refusals
def attempts(request: HttpRequest, job_id: int) -> HttpResponse:
    """The tabs and the attempts."""
    actor = page_actor(request)
    job = job_get(actor, job_id)
    given = request.GET.get("attempt", "")
    found = attempts_of(job)
    shown = int(given) if given.isdecimal() and len(given) < 9 else len(found) or 1
    tab = request.GET.get("tab", "log")
    context = job_page.attempts_nav(job, found, tab=tab, shown=shown, chosen=bool(given))
    mark = job_page.etag(job, viewer_scope(actor), "attempts", shown, tab)
    return fragment(request, "jobs/_attempts.html", context, etag=mark)


@require_safe
@refusals
def waiting(request: HttpRequest, job_id: int) -> HttpResponse:
    """Why it waits."""
    actor = page_actor(request)
    context = job_page.waiting(actor, job_get(actor, job_id))
    return fragment(request, "jobs/_waiting.html", context)


@require_safe
@refusals
def use(request: HttpRequest, job_id: int) -> HttpResponse:
    """What an attempt uses against its limits: that of `?attempt=`, or the latest."""
    job = job_get(page_actor(request), job_id)
    given = request.GET.get("attempt", "")
    found = attempts_of(job)
    shown = int(given) if given.isdecimal() and len(given) < 9 else len(found)
    context = job_page.use(job, found, shown=shown, chosen=bool(given))
    return fragment(request, "jobs/_use.html", context)


@require_safe
@refusals
def facts(request: HttpRequest, job_id: int) -> HttpResponse:
    """What was asked for, and where it went."""
    actor = page_actor(request)
    job = job_get(actor, job_id)
    context = job_page.facts(job, attempts_of(job))
    mark = job_page.etag(job, viewer_scope(actor), "facts")
    return fragment(request, "jobs/_facts.html", context, etag=mark)


@require_safe
@refusals
def events(request: HttpRequest, job_id: int) -> HttpResponse:
    """What happened."""
    actor = page_actor(request)
    job = job_get(actor, job_id)
    mark = job_page.etag(job, viewer_scope(actor), "events")
    return fragment(request, "jobs/_events.html", job_page.events(job), etag=mark)
