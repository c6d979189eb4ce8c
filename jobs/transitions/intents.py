"""What people ask: submit and cancel. Each is one transaction with events and notice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any, NamedTuple

from django.db import transaction

from jobs.asks import Ask, ask
from jobs.intake import admit
from jobs.models import Job
from jobs.queue_classes import class_ids
from jobs.queue_models import QueueClass
from jobs.sql import fetch
from jobs.states import JobState
from jobs.transitions.cancel import cancel, locked
from jobs.transitions.deadlock import despite_deadlocks
from projects.actor import Actor
from projects.notify import JobChange, notify_engine, notify_jobs


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
    concurrency_key: str = ""
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


def submit(new: NewJob, actor: Actor) -> Job:
    """Make one pending job. Raises what `submit_all` raises."""
    made = _make([new], actor)
    return Job(
        pk=made.ids[0],
        created_at=made.created_at,
        queued_at=made.queued_at,
        queue_until=made.queue_until,
        queue_class=_class_of(made.asks[0], made.classes[0]),
        project_id=new.project_id,
        name=new.name,
        spec=dict(new.spec),
        image=new.image,
        cpu_millis=new.cpu_millis,
        memory_mb=new.memory_mb,
        gpus=new.gpus,
        labels=dict(new.labels),
        priority=new.priority,
        queue_timeout_seconds=new.queue_timeout_seconds,
        concurrency_key=new.concurrency_key,
        state=JobState.PENDING,
        reason="held" if new.held else "queued",
        held=new.held,
        submitted_by_id=new.submitted_by_id,
        submitted_via=actor.via,
        rerun_of_id=new.rerun_of_id,
    )


def submit_all(new: Sequence[NewJob], actor: Actor) -> list[int]:
    """Make pending jobs, all or none; their ids in the same order.

    Raises LimitReached (jobs/intake.py), and IntegrityError when an idempotency key is taken.
    """
    return _make(new, actor).ids


class _Made(NamedTuple):
    """New jobs: `queue_until` is that of the first of them."""

    ids: list[int]
    created_at: datetime
    queued_at: datetime
    queue_until: datetime | None
    asks: list[Ask]
    classes: list[int]


def _make(new: Sequence[NewJob], actor: Actor) -> _Made:
    asks = [ask(n, n.project_id, n.priority) for n in new]
    with transaction.atomic():
        admit(Counter(n.project_id for n in new))
        classes = class_ids(set(asks))
        numbers = [classes[asked] for asked in asks]
        values = {
            "jobs": json.dumps([_row(*one) for one in zip(count(), new, numbers, strict=False)]),
            "kind": actor.kind,
            "actor": actor.id,
            "name": actor.name,
            "via": actor.via,
            "request": actor.request_id,
        }
        ((ids, created_at, queued_at, queue_until),) = fetch("submit_jobs", values)
        made = _Made(ids, created_at, queued_at, queue_until, asks, numbers)
        notify_jobs([JobChange(pk, 1, n.project_id) for pk, n in zip(made.ids, new, strict=True)])
        if not all(n.held for n in new):
            notify_engine("jobs")
    return made


def _row(nth: int, new: NewJob, queue_class: int) -> dict[str, Any]:
    return {
        "nth": nth,
        "project": new.project_id,
        "name": new.name,
        "spec": new.spec,
        "secrets": new.secrets and new.secrets.hex(),
        "labels": new.labels,
        "image": new.image,
        "priority": new.priority,
        "cpu_millis": new.cpu_millis,
        "memory_mb": new.memory_mb,
        "gpus": new.gpus,
        "queue_timeout_seconds": new.queue_timeout_seconds,
        "concurrency_key": new.concurrency_key,
        "queue_class": queue_class,
        "held": new.held,
        "submitted_by": new.submitted_by_id,
        "rerun_of": new.rerun_of_id,
        "idempotency_key": new.idempotency_key,
        "idempotency_digest": new.idempotency_digest and new.idempotency_digest.hex(),
    }


@despite_deadlocks
def request_cancel(jobs: Sequence[int], actor: Actor) -> CancelResult:
    """Cancel: a pending job ends now; of one that is placed or runs, its host is told."""
    with transaction.atomic():
        done = cancel(locked(jobs), actor)
        if changes := done.changes():
            notify_jobs(changes)
        if done.stopping:
            notify_engine("cancel")
    ended, stopping = [job.pk for job in done.ended], [job.pk for job in done.stopping]
    return CancelResult(ended, stopping, done.already)


def _class_of(asked: Ask, number: int) -> QueueClass:
    """The class of a new job, unread: what it has been told is seen when the job is read again."""
    return QueueClass(
        pk=number,
        project_id=asked.project,
        priority=asked.priority,
        demand=json.loads(asked.demand),
    )
