"""The page on which a job is written, and its live check. Parse, call, render."""

from __future__ import annotations

import re
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from jobs import new_page, services
from jobs.forms import JobForm
from jobs.models import Job
from jobs.recent import recent_starts
from jobs.selectors import job_get
from jobs.submission import must_submit
from projects.actor import Actor
from projects.errors import Conflict, Forbidden, Invalid, LimitReached
from projects.pages import page_actor, refusals
from providers.selectors import provider_list

_ONCE = re.compile(r"[0-9a-f]{32}")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@refusals
def job_new(request: HttpRequest) -> HttpResponse:
    """Submit a job; `?from=` begins with the spec of another one."""
    actor = page_actor(request)
    source = _source(request, actor)
    providers, starts = provider_list(actor), recent_starts(actor)
    choices = new_page.choices(actor, providers)
    sample = False
    if request.method == "POST":
        form = JobForm(request.POST, **choices)
    else:
        usual = starts[0].project.slug if starts else choices["projects"][0][0]
        values, sample = new_page.beginning(actor, source, usual)
        values["initial"] |= _asked_for(request)
        form = JobForm(**choices, **values)
    # Without JavaScript a button asks for one more row, and nothing is submitted.
    if more := request.POST.get("more", ""):
        form = form.unjudged()
        form.spare[more if more in form.spare else "env"] += 1
    elif form.is_bound:
        new_page.judge(actor, form, source)
        if form.is_right() and "check" not in request.POST:
            try:
                return _submitted(request, actor, form, source)
            except Invalid as error:
                form.blame(error.problems)
            except (Forbidden, LimitReached) as error:
                form.add_error(None, str(error))
            except Conflict:
                words = "This form has already made a job, and was changed since. Run it again"
                form.add_error(None, f"{words} to make another one.")
        form.focus_first_fault()
    context = new_page.page(
        actor, form, source, starts=starts, providers=providers, url=_submit_url(request)
    )
    if request.method == "GET" and source is None and not sample:
        form.fields["name"].widget.attrs["autofocus"] = True
    context |= {"sample": sample, "checked": form.is_bound and form.is_right()}
    status = 422 if form.is_bound and not form.is_right() else 200
    return render(request, "jobs/new.html", context, status=status)


@never_cache
@require_POST
@refusals
def check(request: HttpRequest) -> HttpResponse:
    """What would come of the form as it stands; submits nothing. Values of secrets are not
    sent here."""
    actor = page_actor(request)
    source = _source(request, actor)
    providers = provider_list(actor)
    form = JobForm(request.POST, **new_page.choices(actor, providers))
    new_page.judge(actor, form, source)
    told = request.POST.getlist("told")
    context = new_page.check(actor, form, source, providers, _submit_url(request), told)
    return render(request, "jobs/_check.html", context | {"again": True})


def _source(request: HttpRequest, actor: Actor) -> Job | None:
    """The job to begin with. Raises Forbidden where it could not be submitted again."""
    given = request.GET.get("from", "")
    if not given.isdecimal() or len(given) > 18:
        return None
    source = job_get(actor, int(given))
    must_submit(actor, source.project)
    return source


def _asked_for(request: HttpRequest) -> dict[str, Any]:
    """What the address changes: a suggestion's memory or time."""
    values: dict[str, Any] = {}
    for name, field in (("memory_mb", "memory"), ("timeout_seconds", "timeout")):
        given = request.GET.get(name, "")
        if given.isdecimal() and len(given) < 10:
            values |= {field: int(given), f"{field}_unit": "1"}
    return values


def _submitted(
    request: HttpRequest, actor: Actor, form: JobForm, source: Job | None
) -> HttpResponse:
    """The way to the new job, or to the list of jobs; the same form sent twice makes one."""
    once = request.POST.get("once", "")
    key = f"form-{once}" if _ONCE.fullmatch(once) else None
    changes = new_page.changes_of(form, source)
    if source is None:
        job, _ = services.job_submit(actor, data=changes, idempotency_key=key)
    else:
        job, _ = services.job_rerun(actor, job_id=source.pk, changes=changes, idempotency_key=key)
    detail = reverse("jobs:detail", args=[job.pk])
    if request.POST.get("then") != "list":
        return redirect(detail)
    link = format_html('Submitted: <a href="{}">{} {}</a>.', detail, job.pk, job.name)
    messages.success(request, link)
    return redirect("jobs:list")


def _submit_url(request: HttpRequest) -> str:
    return request.build_absolute_uri(reverse("api-job_submit"))
