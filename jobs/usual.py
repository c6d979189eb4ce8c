"""How long a job runs, held against what is usual for its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.utils import timezone

from jobs.last_runs import name_of
from jobs.models import Job
from jobs.records import NO_RECORD, Usual, records
from jobs.states import JobState

MARK = 0.6
"""Where on its bar the usual length is: beyond it there is room for what takes longer."""


def usual_of(jobs: Sequence[Job]) -> Mapping[int, Usual]:
    """Job id → what is usual for its name in its project, where enough is known; one query."""
    ran = [job for job in jobs if job.started_at is not None]
    known = records({name_of(job) for job in ran})
    found = ((job.pk, known.get(name_of(job), NO_RECORD).usual) for job in ran)
    return {pk: usual for pk, usual in found if usual is not None}


def share(ran: float, usual: Usual) -> float:
    """How much of its bar a run of so many seconds fills, from 0 to 1."""
    return min(1.0, MARK * ran / usual.half) if usual.half > 0 else 1.0


def ran_seconds(job: Job, now: datetime | None = None) -> float | None:
    """How long it has run since its program started, or its last run took by its engine's clock;
    None before that, while it waits for another try, or where nobody knows."""
    if job.state != JobState.RUNNING or job.started_at is None:
        return job.run_seconds
    return max(0.0, ((now or timezone.now()) - job.started_at).total_seconds())
