"""What can be done on its page to a job that waits. Parse, call, lead back."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from jobs import acts
from jobs.models import Job
from projects.errors import Conflict, Invalid
from projects.pages import page_actor, refusals


@require_POST
@refusals
def job_hold(request: HttpRequest, job_id: int) -> HttpResponse:
    """Keep it from being placed."""
    actor, note = page_actor(request), request.POST.get("note", "")
    return _acted(request, job_id, lambda: acts.job_hold(actor, job_id=job_id, data={"note": note}))


@require_POST
@refusals
def job_release(request: HttpRequest, job_id: int) -> HttpResponse:
    """Let a held job run."""
    actor = page_actor(request)
    return _acted(request, job_id, lambda: acts.job_release(actor, job_id=job_id))


@require_POST
@refusals
def job_reprioritise(request: HttpRequest, job_id: int) -> HttpResponse:
    """Give it another priority."""
    actor, data = page_actor(request), acts.priority_body(request.POST.get("priority", ""))
    return _acted(request, job_id, lambda: acts.job_reprioritise(actor, job_id=job_id, data=data))


@require_POST
@refusals
def job_move(request: HttpRequest, job_id: int) -> HttpResponse:
    """Let it run on one provider only, or on any."""
    actor, data = page_actor(request), {"provider": request.POST.get("provider") or None}
    return _acted(request, job_id, lambda: acts.job_move(actor, job_id=job_id, data=data))


def _acted(request: HttpRequest, job_id: int, act: Callable[[], Job]) -> HttpResponse:
    """The way back to the job, with what stood against it."""
    try:
        act()
    except Conflict as error:
        messages.warning(request, str(error))
    except Invalid as error:
        messages.error(request, " ".join(problem.detail for problem in error.problems))
    return redirect("jobs:detail", job_id)
