"""The queue: jobs are placed, told why they wait, give way, or fail at their queue limit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.db.models import F
from django.db.models.functions import Now

from jobs.models import Job
from jobs.reasons import reason_text
from jobs.sql import fetch
from jobs.states import JobState
from jobs.transitions.cancel import cancel, locked
from jobs.transitions.last_run import LAST_RUN
from projects.actor import Actor
from projects.events import Happening, record
from projects.models import ActorKind
from projects.notify import JobChange, notify_engine
from providers.leases import Fence, fenced

SCHEDULER = Actor(ActorKind.SCHEDULER, None, "scheduler", "engine", is_superuser=True)


@dataclass(frozen=True, slots=True)
class Placement:
    """The planner's word: this job goes to that provider, as long as it is of that class;
    `None`: of whichever."""

    job: int
    provider: int
    provider_name: str
    waiting: int | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """The planner's word on a class of jobs: why they wait."""

    waiting: int
    reason: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Yielding:
    """The planner's word: this job ends for the sake of `to`, another with its key."""

    job: int
    key: str
    to: int


def place(fence: Fence, placements: Sequence[Placement]) -> list[JobChange]:
    """Commit placements inside the caller's transaction; makes their attempts.

    Jobs that were cancelled, held, moved or placed meanwhile are passed over silently. The caller
    has re-checked capacity in the same transaction (orchestrator's store).
    """
    if not placements or not fenced({fence}):
        return []
    rows = [
        {
            "job": p.job,
            "provider": p.provider,
            "waiting": p.waiting,
            "detail": {"provider": p.provider_name},
        }
        for p in placements
    ]
    return [JobChange(*row) for row in fetch("place_jobs", [json.dumps(rows)])]


def explain(fence: Fence, waits: Sequence[Wait]) -> set[int]:
    """Store why the jobs of classes wait, inside the caller's transaction; the projects where
    that changed. Unchanged reasons write nothing."""
    if not waits or not fenced({fence}):
        return set()
    rows = [{"waiting": w.waiting, "reason": w.reason, "detail": dict(w.detail)} for w in waits]
    return {project for (project,) in fetch("explain_classes", [json.dumps(rows)])}


def yield_to(fence: Fence, jobs: Sequence[Yielding]) -> list[JobChange]:
    """Cancel jobs that give way to others with their concurrency key, inside the caller's
    transaction; hosts are told of it."""
    if not jobs or not fenced({fence}):
        return []
    rows = {row.pk: row for row in locked(one.job for one in jobs)}
    groups: dict[tuple[str, int], list[Job]] = {}
    for one in jobs:
        if one.job in rows:
            groups.setdefault((one.key, one.to), []).append(rows[one.job])
    done = [
        cancel(group, replace(SCHEDULER, name=f"job {to} of its key {key}"))
        for (key, to), group in groups.items()
    ]
    if any(one.stopping for one in done):
        notify_engine("cancel")
    return [change for one in done for change in one.changes()]


def due(fence: Fence) -> list[JobChange]:
    """Let retries that are due stand in line again, inside the caller's transaction."""
    if not fenced({fence}):
        return []
    return [JobChange(*row) for row in fetch("due")]


def expire(fence: Fence, limit: int = 1000) -> list[JobChange]:
    """Fail pending jobs whose queue limit has passed, inside the caller's transaction."""
    if not fenced({fence}):
        return []
    late = list(
        Job.objects.filter(state=JobState.PENDING, queue_until__lte=Now())
        .order_by("queue_until")
        .select_related("queue_class")
        .select_for_update(no_key=True, of=("self",), skip_locked=True)[:limit]
    )
    if not late:
        return []
    happenings = []
    for job in late:
        last = reason_text(*job.told)
        detail = {"limit": f"{job.queue_timeout_seconds} s", "last": last}
        Job.objects.filter(pk=job.pk).update(
            state=JobState.FAILED,
            reason="queue_timeout",
            reason_detail=detail,
            finished_at=Now(),
            run_seconds=LAST_RUN,
            rev=F("rev") + 1,
        )
        happenings.append(
            Happening(
                "job", job.pk, "job.failed", job.project_id, job.state, JobState.FAILED,
                "queue_timeout", detail,
            )
        )  # fmt: skip
    record(happenings, SCHEDULER)
    return [JobChange(job.pk, job.rev + 1, job.project_id, ended=True) for job in late]
