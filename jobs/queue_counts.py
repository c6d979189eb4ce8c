"""How many jobs wait, by project, by why, and by what they ask for: what the page of the queue
counts from, read once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jobs.demands import QueuedDemand
from jobs.sql import fetch


@dataclass(frozen=True, slots=True)
class Waits:
    """So many jobs of one project wait for the same and ask for the same, the longest since
    `oldest`. `code` is a stored reason, or `held` or `backoff`: of those no demand is told."""

    project: int
    code: str
    demand: QueuedDemand
    number: int
    oldest: datetime


def waiting_counts(projects: list[int] | None) -> list[Waits]:
    """All that waits of these projects (None: of all)."""
    return [
        Waits(row[0], row[1], QueuedDemand(*row[2:7]), *row[7:])
        for row in fetch("waiting_counts", {"projects": projects})
    ]
