"""Why a job has waited, over time: the reasons of its class while it was in line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from jobs.models import Job
from jobs.queue_models import WaitSpan
from jobs.reasons import reason_text
from jobs.states import JobState

MOST_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Wait:
    """A stretch of waiting; `until` is None while it lasts."""

    reason: str
    text: str
    since: datetime
    until: datetime | None


def wait_history(job: Job) -> list[Wait]:
    """The reasons of its present wait, or of its last one, oldest first; at most the last 50.

    They are its class's, cut to the time in which it waited itself; of a job that was given
    another priority or provider while it waited, those since then and of the like before.
    """
    if job.queue_class_id is None:
        return []
    over = None if job.state == JobState.PENDING else _left(job)
    spans = WaitSpan.objects.filter(
        Q(until__gt=job.queued_at) | Q(until=None), queue_class=job.queue_class_id
    )
    if over is not None:
        spans = spans.filter(since__lt=over)
    found = []
    for span in reversed(spans.order_by("-since")[:MOST_SHOWN]):
        until = span.until if over is None or (span.until and span.until < over) else over
        text = reason_text(span.reason, span.reason_detail)
        found.append(Wait(span.reason, text, max(span.since, job.queued_at), until))
    return found


def _left(job: Job) -> datetime | None:
    """When it left the queue: its last attempt was placed, or it ended without one."""
    placed = job.attempts.order_by("-number").values_list("placed_at", flat=True).first()
    return placed if placed is not None and placed >= job.queued_at else job.finished_at
