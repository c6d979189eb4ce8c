"""The page of the activity, its live region, and the same as a file."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from orchestrator import activity_page
from orchestrator.activity_export import COLUMNS, activity_look
from orchestrator.activity_filter import asked
from projects.errors import BadRequest
from projects.export import as_file, read_form
from projects.live_marks import list_mark
from projects.pages import fragment, page_actor, refusals


@require_safe
@refusals
def page(request: HttpRequest) -> HttpResponse:
    """Who did what."""
    context = activity_page.whole(page_actor(request), request.GET)
    return render(request, "orchestrator/activity.html", context)


@require_safe
@refusals
def rows(request: HttpRequest) -> HttpResponse:
    """The lines."""
    actor = page_actor(request)

    def context() -> dict[str, Any]:
        return activity_page.rows(actor, asked(actor, request.GET), request.GET)

    mark = list_mark(actor, "jobs", "providers")
    return fragment(request, "orchestrator/_activity.html", context, etag=mark)


@require_safe
@refusals
def export(request: HttpRequest) -> HttpResponseBase:
    """What the filter finds, for whoever sees it, as `?format=csv` or `json`."""
    actor = page_actor(request)
    found = asked(actor, request.GET)
    form = read_form(request.GET.get("format", ""))
    if found.problems:
        raise BadRequest(" ".join(found.problems))
    return as_file("activity", form, COLUMNS, activity_look(actor, found))
