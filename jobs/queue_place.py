"""Where a job stands in the queue: its place in the true order, and who is around it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from jobs.models import Job
from jobs.whole_line import whole_line
from projects.actor import Actor

AROUND = 2


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A job near this one; without its row where the viewer may not see it."""

    place: int
    job: Job | None
    itself: bool = False


@dataclass(frozen=True, slots=True)
class QueuePlace:
    """Its place from 1, how many wait in all, since when the one that waits longest, and the
    level to which its priority has risen (jobs/true_order.py)."""

    place: int
    waiting: int
    oldest: datetime
    level: int
    around: tuple[Neighbour, ...]


def queue_place(actor: Actor, job: Job) -> QueuePlace | None:
    """The place of a job; None while it is not in line: held, or before its retry."""
    if not job.in_line:
        return None
    order = whole_line().order
    index, oldest = order.index(job.pk), order.oldest
    if index is None or oldest is None:
        return None
    first = max(0, index - AROUND)
    near = order.jobs[first : index + AROUND + 1].tolist()
    rows = Job.objects.select_related("queue_class").defer("spec", "secrets", "idempotency_digest")
    found = rows.in_bulk(near)
    around = [
        Neighbour(first + n + 1, _seen(actor, found.get(pk)), pk == job.pk)
        for n, pk in enumerate(near)
    ]
    return QueuePlace(
        index + 1,
        len(order),
        datetime.fromtimestamp(oldest, UTC),
        -order.key(index)[0],
        tuple(around),
    )


def _seen(actor: Actor, job: Job | None) -> Job | None:
    visible = actor.project_ids()
    may = job is not None and (visible is None or job.project_id in visible)
    return job if may else None
