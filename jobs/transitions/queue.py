"""The queue: jobs are placed, told why they wait, or fail at their queue limit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import F
from django.db.models.functions import Now

from jobs.models import Job
from jobs.reasons import reason_text
from jobs.sql import fetch
from jobs.states import JobState
from projects.actor import Actor
from projects.events import Happening, record
from projects.models import ActorKind
from projects.notify import JobChange
from providers.leases import Fence, fenced

SCHEDULER = Actor(ActorKind.SCHEDULER, None, "scheduler", "engine", is_superuser=True)


@dataclass(frozen=True, slots=True)
class Placement:
    """The planner's word: this job goes to that provider."""

    job: int
    provider: int
    provider_name: str


@dataclass(frozen=True, slots=True)
class Wait:
    """The planner's word on a job passed over: why it waits."""

    job: int
    reason: str
    detail: Mapping[str, Any] = field(default_factory=dict)


def place(fence: Fence, placements: Sequence[Placement]) -> list[JobChange]:
    """Commit placements inside the caller's transaction; makes their attempts.

    Jobs that were cancelled, held or placed meanwhile are passed over silently. The caller
    has re-checked capacity in the same transaction (orchestrator's store).
    """
    if not placements or not fenced({fence}):
        return []
    rows = [
        {"job": p.job, "provider": p.provider, "detail": {"provider": p.provider_name}}
        for p in placements
    ]
    return [JobChange(*row) for row in fetch("place_jobs", [json.dumps(rows)])]


def explain(fence: Fence, waits: Sequence[Wait]) -> list[JobChange]:
    """Store why jobs wait, inside the caller's transaction; unchanged reasons write nothing."""
    if not waits or not fenced({fence}):
        return []
    rows = [{"job": w.job, "reason": w.reason, "detail": dict(w.detail)} for w in waits]
    return [JobChange(*row) for row in fetch("explain_jobs", [json.dumps(rows)])]


def expire(fence: Fence, jobs: Sequence[int]) -> list[JobChange]:
    """Fail pending jobs whose queue limit has passed, inside the caller's transaction."""
    if not jobs or not fenced({fence}):
        return []
    locked = list(
        Job.objects.filter(pk__in=jobs, state=JobState.PENDING, queue_timeout_seconds__isnull=False)
        .order_by("pk")
        .select_for_update(no_key=True)
    )
    happenings = []
    for job in locked:
        last = reason_text(job.reason, job.reason_detail)
        detail = {"limit": f"{job.queue_timeout_seconds} s", "last": last}
        Job.objects.filter(pk=job.pk).update(
            state=JobState.FAILED,
            reason="queue_timeout",
            reason_detail=detail,
            finished_at=Now(),
            rev=F("rev") + 1,
        )
        happenings.append(
            Happening(
                "job", job.pk, "job.failed", job.project_id, job.state, JobState.FAILED,
                "queue_timeout", detail,
            )
        )  # fmt: skip
    record(happenings, SCHEDULER)
    return [JobChange(job.pk, job.rev + 1, job.project_id, ended=True) for job in locked]
