"""What people ask: submit, cancel, release. Each is one transaction with events and notice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from django.db import OperationalError, connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from psycopg.errors import DeadlockDetected

from jobs.models import Job
from jobs.states import TERMINAL, JobState
from projects.actor import Actor
from projects.events import Happening, record
from projects.notify import JobChange, notify_engine, notify_jobs

P = ParamSpec("P")
R = TypeVar("R")
TRIES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job to make: what the services worked out of a validated spec."""

    project_id: int
    name: str
    spec: Mapping[str, Any]
    image: str
    cpu_millis: int
    memory_mb: int
    gpus: int = 0
    secrets: bytes | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    priority: int = 50
    queue_timeout_seconds: int | None = None
    held: bool = False
    submitted_by_id: int | None = None
    rerun_of_id: int | None = None
    idempotency_key: str | None = None
    idempotency_digest: bytes | None = None


@dataclass(frozen=True, slots=True)
class CancelResult:
    """Which jobs ended at once, which were told to stop, and which had ended already."""

    cancelled: list[int]
    requested: list[int]
    already: list[int]


def submit(new: Sequence[NewJob], actor: Actor) -> list[Job]:
    """Make pending jobs. Raises IntegrityError when an idempotency key is taken."""
    with transaction.atomic():
        jobs = Job.objects.bulk_create(
            Job(
                project_id=n.project_id,
                name=n.name,
                spec=dict(n.spec),
                image=n.image,
                cpu_millis=n.cpu_millis,
                memory_mb=n.memory_mb,
                gpus=n.gpus,
                secrets=n.secrets,
                labels=dict(n.labels),
                priority=n.priority,
                queue_timeout_seconds=n.queue_timeout_seconds,
                state=JobState.PENDING,
                reason="held" if n.held else "queued",
                held=n.held,
                submitted_by_id=n.submitted_by_id,
                submitted_via=actor.via,
                rerun_of_id=n.rerun_of_id,
                idempotency_key=n.idempotency_key,
                idempotency_digest=n.idempotency_digest,
            )
            for n in new
        )
        record(
            [
                Happening("job", job.pk, "job.submitted", job.project_id, "", JobState.PENDING)
                for job in jobs
            ],
            actor,
        )
        _tell(jobs, engine=any(not job.held for job in jobs))
    return jobs


def _despite_deadlocks(change: Callable[P, R]) -> Callable[P, R]:
    """Many jobs at once may meet the planner's rows in another order than it does; the
    server then breaks one of the two off, and a person's request is simply made again."""

    @wraps(change)
    def tried(*args: P.args, **kwargs: P.kwargs) -> R:
        for left in reversed(range(TRIES)):
            try:
                return change(*args, **kwargs)
            except OperationalError as error:
                deadlock = isinstance(error.__cause__, DeadlockDetected)
                if not (deadlock and left) or connection.in_atomic_block:
                    raise
        raise AssertionError("the last try returns or raises")

    return tried


@_despite_deadlocks
def request_cancel(jobs: Sequence[int], actor: Actor) -> CancelResult:
    """Cancel: a pending job ends now; of one that is placed or runs, its host is told.

    The rows are locked first, so the planner and the host see one or the other.
    """
    cancelled: list[Job] = []
    requested: list[Job] = []
    already: list[int] = []
    with transaction.atomic():
        for job in _locked(jobs):
            if job.state in TERMINAL:
                already.append(job.pk)
            elif job.state == JobState.PENDING:
                cancelled.append(job)
            elif job.cancel_requested_at is None:
                requested.append(job)
        asked = {"cancel_requested_at": Now(), "cancel_requested_by": actor.name}
        Job.objects.filter(pk__in=[job.pk for job in cancelled]).update(
            state=JobState.CANCELLED,
            reason="cancelled",
            reason_detail={"by": actor.name},
            finished_at=Now(),
            not_before=None,
            rev=F("rev") + 1,
            **asked,
        )
        Job.objects.filter(pk__in=[job.pk for job in requested]).update(rev=F("rev") + 1, **asked)
        by = {"by": actor.name}
        record(
            [
                *(
                    Happening("job", j.pk, "job.cancelled", j.project_id, j.state,
                              JobState.CANCELLED, "cancelled", by)
                    for j in cancelled
                ),
                *(
                    Happening("job", j.pk, "job.cancel_requested", j.project_id, j.state,
                              j.state, "cancelled", by)
                    for j in requested
                ),
            ],
            actor,
        )  # fmt: skip
        for job in (*cancelled, *requested):
            job.rev += 1
        _tell(requested, engine=False, ended=cancelled)
        if requested:
            notify_engine("cancel")
    return CancelResult([job.pk for job in cancelled], [job.pk for job in requested], already)


@_despite_deadlocks
def release(jobs: Sequence[int], actor: Actor) -> list[int]:
    """Let held jobs run; those that are not held, or not pending, are left alone."""
    with transaction.atomic():
        held = [job for job in _locked(jobs) if job.state == JobState.PENDING and job.held]
        Job.objects.filter(pk__in=[job.pk for job in held]).update(
            held=False,
            reason="queued",
            reason_detail={},
            reason_since=Now(),
            queued_at=Now(),
            rev=F("rev") + 1,
        )
        record(
            [
                Happening("job", job.pk, "job.released", job.project_id, job.state, job.state)
                for job in held
            ],
            actor,
        )
        for job in held:
            job.rev += 1
        _tell(held, engine=bool(held))
    return [job.pk for job in held]


def _locked(jobs: Sequence[int]) -> list[Job]:
    return list(
        Job.objects.filter(pk__in=jobs)
        .order_by("pk")
        .select_for_update(no_key=True)
        .only("id", "state", "held", "project_id", "rev", "cancel_requested_at")
    )


def _tell(jobs: Sequence[Job], *, engine: bool, ended: Sequence[Job] = ()) -> None:
    changes = [
        *(JobChange(job.pk, job.rev, job.project_id) for job in jobs),
        *(JobChange(job.pk, job.rev, job.project_id, ended=True) for job in ended),
    ]
    if changes:
        notify_jobs(changes)
    if engine:
        notify_engine("jobs")
