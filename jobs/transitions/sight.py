"""Attempts whose provider does not answer are marked so, and unmarked when it does."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import F
from django.db.models.functions import Now

from jobs import notes
from jobs.models import Attempt, Job
from jobs.transitions.ends import telling
from jobs.transitions.moves import HOST
from projects.events import record
from projects.notify import JobChange
from providers.leases import Fence, fenced


def sight(fence: Fence, attempts: Sequence[int], *, unseen: bool, why: str) -> list[JobChange]:
    """Mark these live attempts inside the caller's transaction, those alone that are not
    marked so yet; the jobs whose pages must be told."""
    if not fenced({fence}):
        return []
    changed = list(
        Attempt.objects.filter(pk__in=attempts, ended_at=None, not_seen_since__isnull=unseen)
        .select_related("job")
        .only("not_seen_since", "job__project_id")
        .annotate(now=Now())
        .order_by("pk")
        .select_for_update(of=("self",), no_key=True)
    )
    if not changed:
        return []
    Attempt.objects.filter(pk__in=[attempt.pk for attempt in changed]).update(
        not_seen_since=Now() if unseen else None
    )
    jobs = [attempt.job_id for attempt in changed]
    Job.objects.filter(pk__in=jobs).update(rev=F("rev") + 1)
    told = []
    for attempt in changed:
        if attempt.not_seen_since is None:
            note = notes.not_seen(why)
        else:
            note = notes.seen_again((attempt.now - attempt.not_seen_since).total_seconds())
        told.append(telling(note, attempt.job_id, attempt.job.project_id))
    record(told, HOST)
    return [
        JobChange(*row)
        for row in Job.objects.filter(pk__in=jobs).values_list("pk", "rev", "project_id")
    ]
