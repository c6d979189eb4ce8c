"""The live regions of the job pages: ordinary, authorised views of one fragment each."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from jobs import job_page, list_page
from jobs.selectors import attempts_of, job_get, last_rerun
from projects.actor import Actor
from projects.live_marks import list_mark
from projects.pages import fragment, page_actor, refusals, shared_fragment


@require_safe
@refusals
def rows(request: HttpRequest) -> HttpResponse:
    """The rows of the list."""

    def context(viewer: Actor) -> dict[str, Any]:
        return list_page.rows(viewer, list_page.asked(request.GET), request.GET)

    return shared_fragment(request, "jobs/_rows.html", context, "jobs")


@require_safe
@refusals
def counts(request: HttpRequest) -> HttpResponse:
    """The state filters with their counts."""

    def context(viewer: Actor) -> dict[str, Any]:
        return list_page.counts(viewer, list_page.asked(request.GET))

    return shared_fragment(request, "jobs/_chips.html", context, "jobs")


@require_safe
@refusals
def header(request: HttpRequest, job_id: int) -> HttpResponse:
    """Title, sentence, buttons, what went wrong, phases."""
    actor = page_actor(request)
    job = job_get(actor, job_id)
    rerun = last_rerun(job)
    mark = job_page.etag(actor, job, "header", rerun)

    def context() -> dict[str, Any]:
        return job_page.header(actor, job, attempts_of(job), rerun=rerun)

    return fragment(request, "jobs/_header.html", context, etag=mark)


@require_safe
@refusals
def attempts(request: HttpRequest, job_id: int) -> HttpResponse:
    """The tabs and the attempts."""
    actor = page_actor(request)
    job = job_get(actor, job_id)
    found = attempts_of(job)
    shown, chosen = job_page.shown_of(found, request.GET.get("attempt", ""))
    tab = job_page.tab_of(request.GET.get("tab", ""))
    mark = job_page.etag(actor, job, "attempts", shown, chosen, tab)

    def context() -> dict[str, Any]:
        return job_page.attempts_nav(job, found, tab=tab, shown=shown, chosen=chosen)

    return fragment(request, "jobs/_attempts.html", context, etag=mark)


@require_safe
@refusals
def waiting(request: HttpRequest, job_id: int) -> HttpResponse:
    """Why it waits."""
    actor = page_actor(request)
    job = job_get(actor, job_id)
    mark = list_mark(actor, "jobs", "providers", also=f"{job.pk}-{job.rev}", beat=5)
    return fragment(request, "jobs/_waiting.html", lambda: job_page.waiting(actor, job), etag=mark)


@require_safe
@refusals
def use(request: HttpRequest, job_id: int) -> HttpResponse:
    """What an attempt uses against its limits: that of `?attempt=`, or the latest."""
    job = job_get(page_actor(request), job_id)
    found = attempts_of(job)
    shown, chosen = job_page.shown_of(found, request.GET.get("attempt", ""))
    context = job_page.use(job, found, shown=shown, chosen=chosen)
    return fragment(request, "jobs/_use.html", context)


@require_safe
@refusals
def facts(request: HttpRequest, job_id: int) -> HttpResponse:
    """What was asked for, and where it went."""
    actor = page_actor(request)
    job = job_get(actor, job_id)
    mark = job_page.etag(actor, job, "facts")
    return fragment(
        request, "jobs/_facts.html", lambda: job_page.facts(job, attempts_of(job)), etag=mark
    )


@require_safe
@refusals
def events(request: HttpRequest, job_id: int) -> HttpResponse:
    """What happened: all of it, or in the stretch of the phase bar that `?phase=` names."""
    actor = page_actor(request)
    job = job_get(actor, job_id)
    given = request.GET.get("phase", "")
    phase = int(given) if given.isdecimal() and len(given) < 9 else 0
    mark = job_page.etag(actor, job, "events", phase)

    def context() -> dict[str, Any]:
        return job_page.events(job, attempts_of(job), phase=phase)

    return fragment(request, "jobs/_events.html", context, etag=mark)
