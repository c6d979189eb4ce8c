"""What the palette (Ctrl-K) asks the server for: jobs, providers and projects by what is typed."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from jobs.filters import JobFilter
from jobs.models import Job
from jobs.query import FREE, MAX_TEXT, Term, problem_of
from jobs.selectors import job_page
from projects.actor import Actor
from projects.http import json_reply
from projects.models import Project
from projects.pages import page_actor
from projects.selectors import shares_of
from providers.models import Provider
from providers.selectors import providers_of

MOST_JOBS = 6
MOST_PROVIDERS = 4
MOST_PROJECTS = 4


@require_safe
def palette(request: HttpRequest) -> HttpResponse:
    """At most 14 things by number, by the beginning of their name or its whole words; what
    the person may not see is not among them."""
    typed = request.GET.get("q", "").strip().removeprefix("#")[:MAX_TEXT]
    items: list[dict[str, Any]] = []
    if typed and not problem_of(FREE, typed):
        actor = page_actor(request)
        items = [*_jobs(actor, typed), *_providers(actor, typed), *_projects(actor, typed)]
    return json_reply({"items": items})


def _jobs(actor: Actor, typed: str) -> list[dict[str, Any]]:
    wanted = JobFilter((Term(FREE, typed),))
    return [_of_job(job) for job in job_page(actor, wanted, limit=MOST_JOBS).items]


def _of_job(job: Job) -> dict[str, Any]:
    return {
        "kind": "job",
        "words": job.name,
        "small": f"{job.pk} · {job.project.slug}",
        "state": job.state,
        "url": reverse("jobs:detail", args=[job.pk]),
    }


def _providers(actor: Actor, typed: str) -> list[dict[str, Any]]:
    found = providers_of(actor).filter(name__icontains=typed)[:MOST_PROVIDERS]
    return [_of_provider(provider) for provider in found]


def _of_provider(provider: Provider) -> dict[str, Any]:
    return {
        "kind": "provider",
        "words": provider.name,
        "small": f"{provider.kind}, {provider.health}",
        "url": reverse("providers:detail", args=[provider.pk]),
    }


def _projects(actor: Actor, typed: str) -> list[dict[str, Any]]:
    named = Q(slug__icontains=typed) | Q(name__icontains=typed)
    return [_of_project(project) for project in shares_of(actor).filter(named)[:MOST_PROJECTS]]


def _of_project(project: Project) -> dict[str, Any]:
    return {
        "kind": "project",
        "words": project.slug,
        "small": "paused" if project.paused_at else project.name,
        "url": reverse("project", args=[project.slug]),
    }
