"""What people change of jobs that wait: hold and release, their priority, the one provider they
may go to. Each is one transaction with events and notice.

Only what still waits is changed: the rows are locked first, so the planner comes before or
after. Priority and provider are of the job's class (jobs/models.py, QueueClass): a job that gets
another one is given another class, and its spec stays what was submitted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from jobs.asks import Ask, ask, ask_again
from jobs.models import Job
from jobs.own_waits import LEFT_CLASS
from jobs.queue_classes import class_ids
from jobs.states import JobState
from jobs.transitions.deadlock import despite_deadlocks
from projects.actor import Actor
from projects.events import Happening, record
from projects.notify import JobChange, notify_engine, notify_jobs

MOST_NOTE = 200


@dataclass(frozen=True, slots=True)
class Changed:
    """Which jobs changed, which were so already, and which wait no more."""

    changed: list[int]
    same: list[int]
    left: list[int]


@despite_deadlocks
def hold(jobs: Sequence[int], note: str, actor: Actor) -> Changed:
    """Keep jobs from being placed until somebody releases them; `note` tells why, and takes the
    place of an earlier one. A retry that was to come due comes with the release."""
    told = {"by": actor.name, "note": note} if note else {}
    with transaction.atomic():
        waiting, left = _waiting(jobs)
        held = [job for job in waiting if not job.held or (note and job.reason_detail != told)]
        Job.objects.filter(pk__in=[job.pk for job in held]).update(
            held=True,
            reason="held",
            reason_detail=told,
            not_before=None,
            queue_until=None,
            rev=F("rev") + 1,
        )
        record([_happened(job, "job.held", "held", told) for job in held], actor)
        _tell(held, engine=False)
    return _changed(waiting, held, left)


@despite_deadlocks
def release(jobs: Sequence[int], actor: Actor) -> Changed:
    """Let held jobs stand in line: their wait begins now."""
    with transaction.atomic():
        waiting, left = _waiting(jobs)
        held = [job for job in waiting if job.held]
        Job.objects.filter(pk__in=[job.pk for job in held]).update(
            held=False,
            reason="queued",
            reason_detail={},
            queued_at=Now(),
            queue_until=Now() + F("queue_timeout_seconds") * timedelta(seconds=1),
            rev=F("rev") + 1,
        )
        record([_happened(job, "job.released") for job in held], actor)
        _tell(held, engine=bool(held))
    return _changed(waiting, held, left)


@despite_deadlocks
def reprioritise(jobs: Sequence[int], priority: int, actor: Actor) -> Changed:
    """Give jobs another priority, 0 to 100."""
    return _ask_otherwise(
        jobs,
        lambda asked: replace(asked, priority=priority),
        lambda before, after: ("job.reprioritised", "priority", before.priority, after.priority),
        actor,
    )


@despite_deadlocks
def move(jobs: Sequence[int], provider: str, actor: Actor) -> Changed:
    """Let jobs go to this provider only, or, with "", to any that fits them."""
    return _ask_otherwise(
        jobs,
        lambda asked: asked.pinned_to(provider),
        lambda before, after: ("job.moved", "provider", before.pin or None, after.pin or None),
        actor,
    )


def _ask_otherwise(
    jobs: Sequence[int],
    change: Callable[[Ask], Ask],
    telling: Callable[[Ask, Ask], tuple[str, str, Any, Any]],
    actor: Actor,
) -> Changed:
    """Move jobs to the classes of what they ask for now; `telling` gives the type of the event,
    and what changed with its value before and after."""
    with transaction.atomic():
        waiting, left = _waiting(jobs)
        before = {job.pk: _ask_of(job) for job in waiting}
        after = {pk: change(asked) for pk, asked in before.items()}
        others = [job for job in waiting if before[job.pk] != after[job.pk]]
        classes = class_ids({after[job.pk] for job in others})
        for asked, number in classes.items():
            members = [job.pk for job in others if after[job.pk] == asked]
            Job.objects.filter(pk__in=members).update(
                queue_class=number, priority=asked.priority, rev=F("rev") + 1
            )
        happenings = []
        for job in others:
            type_, name, was, is_now = telling(before[job.pk], after[job.pk])
            detail = {"changes": {name: [was, is_now]}, LEFT_CLASS: job.queue_class_id}
            happenings.append(_happened(job, type_, detail=detail))
        record(happenings, actor)
        _tell(others, engine=any(not job.held for job in others))
    return _changed(waiting, others, left)


def _ask_of(job: Job) -> Ask:
    """What it asks now; a row that has no class yet asks what its spec says."""
    if job.queue_class is None:
        return ask(job, job.project_id, job.priority)
    return ask_again(job.project_id, job.priority, job.queue_class.demand)


def _waiting(jobs: Sequence[int]) -> tuple[list[Job], list[int]]:
    """Those that wait, their rows locked, and the numbers of the others."""
    rows = (
        Job.objects.filter(pk__in=jobs, state=JobState.PENDING)
        .order_by("pk")
        .select_related("queue_class")
        .select_for_update(no_key=True, of=("self",))
        .defer("secrets", "idempotency_digest")
    )
    found = list(rows)
    gone = set(jobs) - {job.pk for job in found}
    return found, sorted(gone)


def _happened(job: Job, type_: str, reason: str = "", detail: Any = None) -> Happening:
    return Happening(
        "job", job.pk, type_, job.project_id, job.state, job.state, reason, detail or {}
    )


def _changed(waiting: Sequence[Job], changed: Sequence[Job], left: list[int]) -> Changed:
    ids = {job.pk for job in changed}
    return Changed(sorted(ids), [job.pk for job in waiting if job.pk not in ids], left)


def _tell(jobs: Sequence[Job], *, engine: bool) -> None:
    if jobs:
        notify_jobs([JobChange(job.pk, job.rev + 1, job.project_id) for job in jobs])
    if engine:
        notify_engine("jobs")
