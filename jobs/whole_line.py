"""Reading all that waits in line, in its true order: for pages that show places in it."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.sql import fetch
from jobs.true_order import Queued, TrueOrder

LONGEST_WALK = 600.0
"""Seconds; after that the line moves on under whoever still walks through it."""
_NOTHING = (0, 0, 0, 0.0, 1)  # what each row ends with: all there is, the clock, the patience


@dataclass(frozen=True, slots=True)
class Waiting:
    """What the jobs of one class share: whose they are, why they wait, and what they ask for;
    `requires` is JSON, as it is stored."""

    project: int
    reason: str
    cpu_millis: int
    memory_mb: int
    gpus: int
    provider: str
    requires: str


@dataclass(frozen=True, slots=True)
class WholeLine:
    """The line, and the classes in it; `order.classes` are indexes of these."""

    order: TrueOrder
    classes: tuple[Waiting, ...]


def whole_line(moment: float | None = None) -> WholeLine:
    """One query. `moment`, in seconds of the epoch, is when somebody began to walk through the
    line page by page: for LONGEST_WALK they see it in the order of then."""
    shared: list[Waiting] = []
    queued: list[Queued] = []
    rows = fetch("whole_line")
    for row in rows:
        project, weight, priority, reason, cpu, memory, gpus = row[:7]
        used, (provider, requires, jobs, since) = row[7:10], row[10:14]
        shared.append(Waiting(project, reason, cpu, memory, gpus, provider, requires))
        queued.append(Queued(project, weight, priority, (cpu, memory, gpus), used, jobs, since))
    cpu, memory, gpus, now, patience = rows[0][14:] if rows else _NOTHING
    at = now if moment is None else min(max(moment, now - LONGEST_WALK), now)
    return WholeLine(TrueOrder(queued, (cpu, memory, gpus), at, patience), tuple(shared))
