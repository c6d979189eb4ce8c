"""The pages of jobs: the list, one of them and what is done to it. Parse, call, render."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from jobs import job_page, list_page, services
from jobs.models import Job
from jobs.saved_views import default_view
from jobs.selectors import job_get
from projects.errors import Conflict, Invalid, LimitReached
from projects.pages import page_actor, refusals

TABS = ("log", "events", "spec")


@require_safe
@refusals
def job_list(request: HttpRequest) -> HttpResponse:
    """The jobs that match the address; without any, the person's default view."""
    actor = page_actor(request)
    if not request.GET and (view := default_view(actor)):
        return redirect(f"{reverse('jobs:list')}?{list_page.address_of_view(view)}")
    api_url = request.build_absolute_uri(reverse("api-job_submit"))
    return render(request, "jobs/list.html", list_page.whole(actor, request.GET, api_url=api_url))


@require_safe
@refusals
def job_detail(request: HttpRequest, job_id: int) -> HttpResponse:
    """One job: what is true now, why, and its log. `?attempt=` and `?tab=` choose."""
    actor = page_actor(request)
    job = job_get(actor, job_id)
    tab = request.GET.get("tab", "log")
    chosen = request.GET.get("attempt", "")
    context = job_page.regions(
        actor,
        job,
        tab=tab if tab in TABS else "log",
        attempt=int(chosen) if chosen.isdecimal() and len(chosen) < 9 else None,
        submit_url=request.build_absolute_uri(reverse("api-job_submit")),
    )
    return render(request, "jobs/detail.html", context)


@require_POST
@refusals
def job_cancel(request: HttpRequest, job_id: int) -> HttpResponse:
    """Ask a job to end."""
    try:
        services.job_cancel(page_actor(request), job_id=job_id)
    except Conflict as error:
        messages.warning(request, str(error))
    return redirect("jobs:detail", job_id)


@require_POST
@refusals
def job_force_finish(request: HttpRequest, job_id: int) -> HttpResponse:
    """End an attempt that cannot be seen; the page has told what that means."""
    try:
        services.job_force_finish(page_actor(request), job_id=job_id)
    except Conflict as error:
        messages.warning(request, str(error))
    return redirect("jobs:detail", job_id)


@require_POST
@refusals
def job_rerun(request: HttpRequest, job_id: int) -> HttpResponse:
    """The same again, as a new job; with more memory or time where the button says so."""
    actor = page_actor(request)
    try:
        changes = _resources(request, job_get(actor, job_id))
        job, _ = services.job_rerun(actor, job_id=job_id, changes=changes)
    except (Conflict, Invalid, LimitReached) as error:
        messages.error(request, str(error))
        return redirect("jobs:detail", job_id)
    return redirect("jobs:detail", job.pk)


def _resources(request: HttpRequest, job: Job) -> dict[str, Any] | None:
    """What a suggestion's button changes."""
    given = {
        name: int(request.POST[name])
        for name in ("memory_mb", "timeout_seconds")
        if request.POST.get(name, "").isdecimal() and len(request.POST[name]) < 10
    }
    return {"resources": job.spec["resources"] | given} if given else None
