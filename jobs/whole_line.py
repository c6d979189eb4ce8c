"""Reading all that waits in line, in its true order: for pages that show places in it."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from jobs.demands import QueuedDemand
from jobs.held import Held
from jobs.queue import in_use
from jobs.sql import fetch
from jobs.true_order import Queued, TrueOrder
from projects.models import Project
from providers.fit import Need

LONGEST_WALK = 600.0
"""Seconds; after that the line moves on under whoever still walks through it."""
_NEWEST = 2**62
_NOTHING = (0, 0, 0, 0.0, 1)  # what each row ends with: all there is, the clock, the patience


@dataclass(frozen=True, slots=True)
class ClassInLine:
    """What the jobs of one class share: whose they are, why they wait, and what they ask for."""

    project: int
    reason: str
    demand: QueuedDemand


@dataclass(frozen=True, slots=True)
class WholeLine:
    """The line, and the classes in it; `order.classes` are indexes of these."""

    order: TrueOrder
    classes: tuple[ClassInLine, ...]


def whole_line(moment: float | None = None) -> WholeLine:
    """One query. `moment`, in seconds of the epoch, is when somebody began to walk through the
    line page by page: for LONGEST_WALK they see it in the order of then."""
    read = _read()
    at = read.now if moment is None else min(max(moment, read.now - LONGEST_WALK), read.now)
    order = TrueOrder([one for one, _ in read.classes], read.totals, at, read.patience)
    return WholeLine(order, tuple(shared for _, shared in read.classes))


def newcomers_place(project: Project, priority: int, need: Need) -> int:
    """The place, from 1, that a job would have in line were it submitted now; two queries."""
    read, held = _read(), in_use().projects.get(project.pk, Held())
    newcomer = Queued(
        project.pk,
        project.weight,
        priority,
        (need.cpu_millis, need.memory_mb, need.gpus),
        (held.cpu_millis, held.memory_mb, held.gpus),
        _NEWEST.to_bytes(8, "big"),
        struct.pack(">d", read.now),
    )
    queued = [*(one for one, _ in read.classes), newcomer]
    index = TrueOrder(queued, read.totals, read.now, read.patience).index(_NEWEST)
    assert index is not None, "it was put into the line just before"
    return index + 1


@dataclass(frozen=True, slots=True)
class _Read:
    """What was read: classes, all there is to share, the clock in seconds of the epoch, the
    patience in seconds."""

    classes: Sequence[tuple[Queued, ClassInLine]]
    totals: tuple[int, int, int]
    now: float
    patience: int


def _read() -> _Read:
    classes = []
    rows = fetch("whole_line")
    for row in rows:
        project, weight, priority, reason, cpu, memory, gpus = row[:7]
        used, (provider, requires, jobs, since) = row[7:10], row[10:14]
        demand, refused = (cpu, memory, gpus), reason != "queued"
        classes.append(
            (
                Queued(project, weight, priority, demand, used, jobs, since, refused),
                ClassInLine(project, reason, QueuedDemand(cpu, memory, gpus, provider, requires)),
            )
        )
    cpu, memory, gpus, now, patience = rows[0][14:] if rows else _NOTHING
    return _Read(classes, (cpu, memory, gpus), now, patience)
