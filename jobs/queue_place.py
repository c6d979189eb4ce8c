"""Where a job stands in the queue: its place in the true order, and who is around it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from django.db.models.functions import Now

from jobs.models import Job
from jobs.sql import fetch
from jobs.states import JobState
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
    """Its place from 1, how many wait in all, and since when the one that waits longest."""

    place: int
    waiting: int
    oldest: datetime | None
    around: tuple[Neighbour, ...]


def queue_place(actor: Actor, job: Job) -> QueuePlace | None:
    """The place of a job; None while it is not in the queue: held, or before its retry."""
    if job.state != JobState.PENDING or job.held or job.reason == "backoff":
        return None
    ((before, waiting, oldest),) = fetch("queue_place", {"priority": job.priority, "id": job.pk})
    if not waiting:
        return None
    queue = Job.objects.filter(
        Q(not_before__isnull=True) | Q(not_before__lte=Now()), state="pending", held=False
    ).defer("spec", "secrets", "idempotency_digest")
    later = Q(priority__lt=job.priority) | Q(priority=job.priority, pk__gt=job.pk)
    earlier = Q(priority__gt=job.priority) | Q(priority=job.priority, pk__lt=job.pk)
    ahead = list(queue.filter(earlier).order_by("priority", "-pk")[:AROUND])[::-1]
    behind = list(queue.filter(later).order_by("-priority", "pk")[:AROUND])
    place = int(before) + 1
    first = place - len(ahead)
    around = [
        Neighbour(first + n, one if one is job or _sees(actor, one) else None, one is job)
        for n, one in enumerate([*ahead, job, *behind])
    ]
    return QueuePlace(place, max(int(waiting), place), oldest, tuple(around))


def _sees(actor: Actor, job: Job) -> bool:
    visible = actor.project_ids()
    return visible is None or job.project_id in visible
