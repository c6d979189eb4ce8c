"""The page of the queue, its live regions, and what can be done to a job that waits there."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from jobs import acts, queue_page
from jobs.list_page import encoded
from projects.errors import Conflict
from projects.live_marks import list_mark
from projects.pages import fragment, page_actor, refusals


@require_safe
@refusals
def page(request: HttpRequest) -> HttpResponse:
    """What waits, in the planner's order, and why."""
    return render(request, "jobs/queue.html", queue_page.whole(page_actor(request), request.GET))


@require_safe
@refusals
def head(request: HttpRequest) -> HttpResponse:
    """The sentence, the groups, room and pace."""
    actor = page_actor(request)

    def context() -> dict[str, Any]:
        return queue_page.head(actor, queue_page.asked(actor, request.GET))

    return fragment(
        request, "jobs/_queue_head.html", context, etag=list_mark(actor, "jobs", "providers")
    )


@require_safe
@refusals
def rows(request: HttpRequest) -> HttpResponse:
    """The jobs that wait."""
    actor = page_actor(request)

    def context() -> dict[str, Any]:
        return queue_page.rows(actor, queue_page.asked(actor, request.GET), request.GET)

    return fragment(
        request, "jobs/_queue_rows.html", context, etag=list_mark(actor, "jobs", "providers")
    )


@require_POST
@refusals
def release(request: HttpRequest, job_id: int) -> HttpResponse:
    """Let a held job run, and go on looking at the queue."""
    actor = page_actor(request)
    try:
        job = acts.job_release(actor, job_id=job_id)
        messages.success(request, f"{job.name} {job.pk} is released and in the queue.")
    except Conflict as error:
        messages.warning(request, str(error))
    if "HX-Request" in request.headers:
        return render(request, "_notes.html")
    query = encoded(queue_page.asked(actor, request.POST).as_query())
    return redirect(reverse("jobs:queue") + (f"?{query}" if query else ""))
