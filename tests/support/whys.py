"""Asking why a job waits, or what would come of one, over the API."""

from __future__ import annotations

from typing import Any

from django.test import Client

from jobs.models import Attempt, Job
from projects.models import Project
from providers.models import Provider
from tests.support.attempts import make_attempt
from tests.support.builders import make_job, make_provider


def full(project: Project, name: str = "node-2", *, holds_mb: int = 12_288) -> Provider:
    """A provider of 16 GiB with a running job on it."""
    provider = make_provider(name)
    job = make_job(state="running", project=project, provider=provider, name="holder")
    attempt = make_attempt(provider=provider)
    Attempt.objects.filter(pk=attempt.pk).update(job=job, memory_mb=holds_mb)
    return provider


def why(browser: Client, job: Job) -> dict[str, Any]:
    answer = browser.get(f"/api/v1/jobs/{job.pk}/why")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def dry_run(browser: Client, **spec: Any) -> dict[str, Any]:
    body = {"name": "probe", "image": "sample:1", "project": "etl"} | spec
    answer = browser.post("/api/v1/jobs/dry-run", body, content_type="application/json")
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found
