"""Attempts put straight into the tables, in any phase, with the job that fits them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone

from jobs.models import Attempt, Job
from providers.models import Provider
from tests.support.builders import make_job, make_provider


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
    provider = provider or make_provider()
    if job is None:
        live = "running" if phase in {"running", "finishing"} else "scheduled"
        state = "completed" if ended else live
        job = make_job(state=state, provider=provider, finished_at=when)
    return Attempt.objects.create(
        job=job,
        provider=provider,
        cpu_millis=1000,
        memory_mb=512,
        phase=phase,
        outcome="completed" if ended else "",
        ended_at=when,
        **{"number": 1} | columns,
    )
