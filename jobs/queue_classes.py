"""The classes of the queue: found or made for what jobs ask, and given to jobs without one."""

from __future__ import annotations

import json
from collections.abc import Collection

from django.db import transaction
from django.db.models import Exists, F, OuterRef

from jobs.asks import Ask, ask
from jobs.models import Job
from jobs.queue_models import QueueClass
from jobs.sql import fetch

MOST_TRIES = 5


def class_ids(asks: Collection[Ask]) -> dict[Ask, int]:
    """The class of each ask, made where there is none; inside the caller's transaction, until
    whose end they are not deleted."""
    missing = {(one.project, one.priority, one.digest): one for one in asks}
    found: dict[Ask, int] = {}
    for _ in range(MOST_TRIES):
        if not missing:
            return found
        for number, project, priority, digest in fetch("queue_classes", [_rows(missing.values())]):
            found[missing.pop((project, priority, bytes(digest)))] = number
    raise AssertionError("another transaction makes the same classes and does not end")


def give_classes(limit: int = 5000) -> int:
    """Give classes to jobs that wait and have none, as rows that were made by hand do; how many."""
    with transaction.atomic():
        jobs = list(
            Job.objects.filter(state="pending", queue_class=None)
            .order_by("pk")
            .select_for_update(no_key=True, skip_locked=True)
            .only("spec", "labels", "image", "cpu_millis", "memory_mb", "gpus", "project_id",
                  "priority")[:limit]
        )  # fmt: skip
        asks = {job.pk: ask(job, job.project_id, job.priority) for job in jobs}
        classes = class_ids(set(asks.values()))
        for job in jobs:
            Job.objects.filter(pk=job.pk).update(
                queue_class=classes[asks[job.pk]], rev=F("rev") + 1
            )
    return len(jobs)


def forget_lost_classes(limit: int = 1000) -> int:
    """Let jobs that wait in up to `limit` classes that are gone have none, so that they are given
    one; how many. No statement of ours deletes a class that a job needs, and a hand may.

    A number that is gone never comes back: what has another class meanwhile is left alone.
    """
    waiting = Job.objects.filter(state="pending", queue_class__isnull=False)
    known = QueueClass.objects.filter(pk=OuterRef("queue_class"))
    lost = waiting.filter(~Exists(known)).values_list("queue_class", flat=True)
    gone = set(lost.distinct()[:limit])
    return waiting.filter(queue_class__in=gone).update(queue_class=None, rev=F("rev") + 1)


def _rows(asks: Collection[Ask]) -> str:
    return json.dumps(
        [{"project": a.project, "priority": a.priority, "demand": a.demand} for a in asks]
    )
