"""The page of the activity, its live region, and the same as a file."""

from __future__ import annotations

from typing import Any

from django.db import close_old_connections, connection
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from orchestrator import activity_page
from orchestrator.activity_export import Form, exported
from orchestrator.activity_filter import asked
from projects.errors import BadRequest
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
    form = request.GET.get("format", Form.CSV)
    problems = [*found.problems]
    if form not in set(Form):
        problems.append("There is no such format; use csv or json.")
    if problems:
        raise BadRequest(" ".join(problems))
    file = Form(form)
    reply = StreamingHttpResponse(exported(actor, found, file), content_type=file.content_type)
    name = f"activity-{timezone.now():%Y-%m-%d-%H%M}.{file}"
    reply["Content-Disposition"] = f'attachment; filename="{name}"'
    reply["Cache-Control"] = "private, no-store"
    # Django gives the request's connection back when the answer has ended; this one reads
    # through connections of its own, and as slowly as its reader.
    if not connection.in_atomic_block:
        close_old_connections()
    return reply
