"""The pages of jobs: the list, one of them and what is done to it. Parse, call, render."""

from __future__ import annotations

from collections.abc import Mapping

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from jobs import job_page, list_page, services
from jobs.job_export import COLUMNS, jobs_look
from jobs.models import Job
from jobs.saved_views import default_view
from jobs.selectors import job_get
from projects.errors import BadRequest, Conflict, Invalid, LimitReached
from projects.export import as_file, read_form
from projects.pages import page_actor, refusals


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
def job_export(request: HttpRequest) -> HttpResponseBase:
    """All that the list lists, as `?format=csv` or `json`."""
    actor = page_actor(request)
    found = list_page.asked(request.GET)
    form = read_form(request.GET.get("format", ""))
    if found.problems:
        raise BadRequest(" ".join(found.problems))
    return as_file("jobs", form, COLUMNS, jobs_look(actor, found.wanted, found.sort))


@require_safe
@refusals
def job_detail(request: HttpRequest, job_id: int) -> HttpResponse:
    """One job: what is true now, why, and its log. `?attempt=` and `?tab=` choose,
    `?phase=` narrows the events to one stretch of the phase bar."""
    actor = page_actor(request)
    job = job_get(actor, job_id)
    phase = request.GET.get("phase", "")
    context = job_page.regions(
        actor,
        job,
        tab=request.GET.get("tab", ""),
        attempt=request.GET.get("attempt", ""),
        phase=int(phase) if phase.isdecimal() and len(phase) < 9 else 0,
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
    """The same again, as a new job; with more memory or time where the button says so. A
    button that is pressed twice makes one job."""
    actor = page_actor(request)
    given = _resources(request)
    try:
        source = job_get(actor, job_id)
        changes = {"resources": source.spec["resources"] | given} if given else None
        key = _key(request, source, given)
        job, _ = services.job_rerun(actor, job_id=job_id, changes=changes, idempotency_key=key)
    except (Conflict, Invalid, LimitReached) as error:
        messages.error(request, str(error))
        return redirect("jobs:detail", job_id)
    return redirect("jobs:detail", job.pk)


def _resources(request: HttpRequest) -> dict[str, int]:
    """What a suggestion's button changes."""
    return {
        name: int(request.POST[name])
        for name in ("memory_mb", "timeout_seconds")
        if request.POST.get(name, "").isdecimal() and len(request.POST[name]) < 10
    }


def _key(request: HttpRequest, source: Job, given: Mapping[str, int]) -> str | None:
    """The same for each press of one button, until its page has seen the rerun (`after` is the
    last one that it knew of). No random mark, because live regions are rendered again at any
    time, also between the two clicks of a double one."""
    after = request.POST.get("after", "")
    if not (after.isascii() and after.isdecimal() and len(after) < 20):
        return None
    changed = "".join(f"-{name}-{number}" for name, number in given.items())
    return f"rerun-{source.pk}-after-{int(after)}{changed}"
