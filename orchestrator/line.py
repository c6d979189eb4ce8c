"""One look at the queue: the line and what stands against it, as the planner reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from django.db.models.functions import Now

from jobs.queue import QueuedClass, in_use, line
from orchestrator.capacity import key_views, project_views, provider_views
from orchestrator.scheduling.snapshot import (
    Demand,
    Key,
    Overflow,
    Requirement,
    Snapshot,
    WaitingClass,
)
from projects.models import InstanceSettings

_OVERFLOWS = {overflow.value: overflow for overflow in Overflow}


def snapshot(depth: int, deeper: Mapping[int, int]) -> Snapshot:
    """What waits, with at most so many jobs of each class (jobs/queue.py), and the providers,
    projects and keys that it is held against. Reads of several moments: what changes between
    them is caught when the plan is committed."""
    classes = tuple(waiting_class(one) for one in line(depth, deeper))
    if not classes:
        return Snapshot()
    held = in_use()
    return Snapshot(
        classes=classes,
        providers=tuple(provider_views(held.providers, classes)),
        projects=project_views({c.project for c in classes}, held.projects),
        keys=key_views({(c.project, c.key.name) for c in classes if c.key is not None}),
        **clock(),
    )


@lru_cache(maxsize=20_000)
def _asked(text: str) -> tuple[Demand, Key | None]:
    """A class's demand and key; they never change, and are read again and again."""
    stored = json.loads(text)
    return demand_of(stored), key_of(stored)


def demand_of(stored: Mapping[str, Any]) -> Demand:
    """A stored demand (jobs/asks.py) as the planner has it."""
    return Demand(
        cpu_millis=stored["cpu_millis"],
        memory_mb=stored["memory_mb"],
        gpus=stored["gpus"],
        provider=stored["provider"],
        requires=tuple(
            Requirement(r["key"], r["op"], tuple(r["values"])) for r in stored["requires"]
        ),
        apart=tuple((label, value) for label, value in stored["apart"]),
        image=stored["image"],
    )


def key_of(stored: Mapping[str, Any]) -> Key | None:
    """The concurrency key of a stored demand. One class that says more than there is must not
    keep all others from being planned: a word that is none of ours means to queue."""
    key = stored["key"]
    return key and Key(
        key["name"], key["limit"], _OVERFLOWS.get(key["on_overflow"], Overflow.QUEUE)
    )


def waiting_class(one: QueuedClass) -> WaitingClass:
    """A class as the planner has it."""
    demand, key = _asked(one.demand)
    return WaitingClass(
        id=one.id,
        project=one.project,
        priority=one.priority,
        demand=demand,
        jobs=one.jobs,
        since=one.since,
        more=one.more,
        key=key,
        told=(one.reason, one.detail),
    )


def clock() -> dict[str, float]:
    """The database's clock, and how patient jobs are."""
    (row,) = InstanceSettings.objects.annotate(now=Now()).values_list("now", "patience_seconds")
    return {"now": row[0].timestamp(), "patience": float(row[1])}
