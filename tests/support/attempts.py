"""Attempts put straight into the tables, in any phase, with the job that fits them."""

from __future__ import annotations

from datetime import datetime
from itertools import count
from typing import Any

from django.utils import timezone

from jobs.models import Attempt, Job
from projects.models import Project
from providers.models import HealthState, Provider

_numbers = count(1)


def make_attempt(
    *,
    phase: str = "running",
    job: Job | None = None,
    provider: Provider | None = None,
    ended_at: datetime | None = None,
    **columns: Any,
) -> Attempt:
    """An attempt of 1 core and 512 MiB. Without `job`, one whose state fits the phase."""
    ended = phase == "ended"
    when = (ended_at or timezone.now()) if ended else None
    if provider is None:
        provider = Provider.objects.create(
            name=f"place-{next(_numbers)}", kind="fake", health=HealthState.HEALTHY
        )
    if job is None:
        project, _ = Project.objects.get_or_create(slug="default", defaults={"name": "Default"})
        started = phase in {"running", "finishing"}
        job = Job.objects.create(
            project=project,
            name=f"job-{next(_numbers)}",
            spec={},
            image="sample",
            cpu_millis=1000,
            memory_mb=512,
            state="completed" if ended else "running" if started else "scheduled",
            reason="succeeded" if ended else "placed",
            provider=provider,
            attempt=1,
            finished_at=when,
        )
    return Attempt.objects.create(
        job=job,
        number=columns.pop("number", 1),
        provider=provider,
        cpu_millis=1000,
        memory_mb=512,
        phase=phase,
        outcome="completed" if ended else "",
        ended_at=when,
        **columns,
    )
