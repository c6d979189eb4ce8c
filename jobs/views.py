"""The pages of jobs: the list, one of them, a new one. Parse, call, render."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from jobs import job_page, list_page, services
from jobs.forms import JobForm, initial_of
from jobs.models import Job
from jobs.selectors import job_get
from projects.actor import Actor
from projects.errors import Conflict, Forbidden, Invalid
from projects.models import Role
from projects.pages import page_actor, refusals
from projects.selectors import projects_of
from providers.readings import readings
from providers.selectors import providers_of

TABS = ("log", "events", "spec")


@require_safe
@refusals
def job_list(request: HttpRequest) -> HttpResponse:
    """The jobs that match the address."""
    return render(request, "jobs/list.html", list_page.whole(page_actor(request), request.GET))


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


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@refusals
def job_new(request: HttpRequest) -> HttpResponse:
    """Submit a job; `?from=` begins with the spec of another one."""
    actor = page_actor(request)
    source = _source(request, actor)
    form = _form(request, actor, source)
    # Without JavaScript a button asks for one more row, and nothing is submitted.
    if more := request.POST.get("more", ""):
        form = _form(request, actor, source, unsent=True)
        form.spare[more if more in form.spare else "env"] += 1
    elif form.is_bound and form.is_valid():
        try:
            job = _submit(actor, form, source)
            return redirect("jobs:detail", job.pk)
        except Invalid as error:
            form.blame(error.problems)
        except Conflict as error:
            form.add_error(None, str(error))
    context = {
        "form": form,
        "source": source,
        "kept_secrets": source.spec.get("secret_env_names", []) if source else [],
        "providers": readings(list(providers_of(actor)[:12])),
    }
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "jobs/new.html", context, status=status)


def _source(request: HttpRequest, actor: Actor) -> Job | None:
    given = request.GET.get("from", "")
    return job_get(actor, int(given)) if given.isdecimal() and len(given) < 19 else None


def _form(
    request: HttpRequest, actor: Actor, source: Job | None, *, unsent: bool = False
) -> JobForm:
    """The form with its choices: sent, sent but not to be judged yet, or beginning."""
    projects = [(p.slug, p.name) for p in projects_of(actor, Role.SUBMITTER)]
    if not projects:
        raise Forbidden("You may not submit jobs to any project. Ask one of its admins.")
    choices: dict[str, Any] = {
        "projects": projects,
        "providers": [(p.name, p.name) for p in providers_of(actor)],
    }
    if request.method == "POST":
        form = JobForm(request.POST, **choices)
        return form.unjudged() if unsent else form
    if source is None:
        return JobForm(initial=_asked_for(request, {}), **choices)
    values, env, _ = initial_of(source.spec)
    return JobForm(initial=_asked_for(request, values), env=env, **choices)


def _asked_for(request: HttpRequest, values: dict[str, Any]) -> dict[str, Any]:
    """The beginning with what the address changes: a suggestion's memory or time."""
    for name, field, unit in (
        ("memory_mb", "memory", "memory_unit"),
        ("timeout_seconds", "timeout", "timeout_unit"),
    ):
        given = request.GET.get(name, "")
        if given.isdecimal() and len(given) < 10:
            values |= {field: int(given), unit: "1"}
    return values


def _submit(actor: Actor, form: JobForm, source: Job | None) -> Job:
    if source is None:
        return services.job_submit(actor, data=form.spec())[0]
    changes = form.spec()
    if changes["script"] is not None and source.spec.get("script") is not None:
        del changes["args"]  # A script's own arguments, which the form does not show, come along.
    return services.job_rerun(actor, job_id=source.pk, changes=changes)[0]


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
def job_release(request: HttpRequest, job_id: int) -> HttpResponse:
    """Let a held job run."""
    try:
        services.job_release(page_actor(request), job_id=job_id)
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
    except (Conflict, Invalid) as error:
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
