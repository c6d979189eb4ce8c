"""What qcluster does and how often. The table of schedules follows this list."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone
from django_q.models import Schedule

PREFIX = "gantry: "
"""Marks the rows that are ours; a schedule that an admin made by hand is left alone."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """A function without arguments that qcluster calls every so many minutes."""

    name: str
    function: str
    minutes: int


SWEEPS: tuple[Sweep, ...] = (
    Sweep("archive logs", "jobs.tasks.archive_logs", 1),
    Sweep("sample providers", "jobs.tasks.sample_providers", 1),
    Sweep("tidy engine requests", "providers.tasks.tidy_requests", 5),
    Sweep("retention", "jobs.tasks.keep_retention", 60),
    Sweep("thin health history", "providers.tasks.thin_history", 60),
    Sweep("tidy frameworks", "orchestrator.tasks.tidy_frameworks", 24 * 60),
)


def sync_schedules() -> int:
    """Makes the schedule rows say what SWEEPS says; returns how many rows changed.

    Rows that already agree keep their next run, so that restarts neither hurry nor delay.
    """
    changed = 0
    kept: set[int] = set()
    ours = Schedule.objects.filter(name__startswith=PREFIX)
    with transaction.atomic():
        rows = {row.name: row for row in ours.select_for_update().order_by("-pk")}
        for sweep in SWEEPS:
            name = PREFIX + sweep.name
            wanted = {
                "func": sweep.function,
                "schedule_type": Schedule.MINUTES,
                "minutes": sweep.minutes,
                "repeats": -1,
            }
            row = rows.get(name)
            if row is None:
                row = Schedule.objects.create(name=name, **wanted)
                changed += 1
            elif any(getattr(row, column) != value for column, value in wanted.items()):
                Schedule.objects.filter(pk=row.pk).update(**wanted, next_run=timezone.now())
                changed += 1
            kept.add(row.pk)
        undeclared, _ = ours.exclude(pk__in=kept).delete()
    return changed + int(undeclared)
