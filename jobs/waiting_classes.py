"""What waits, in classes of equal demand, as the planner walks it: for pages that tell what a
provider, or a change of one, means to the queue."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from jobs.orders import SpecUnreadable, requirements
from jobs.sql import fetch
from providers.fit import Need

MOST_LOOKED_AT = 10_000
"""Waiting jobs that are looked at, the first of the queue; beyond that it is told."""
FIRST = 200
"""So many of each class can be named."""


@dataclass(frozen=True, slots=True)
class WaitingClass:
    """Jobs that ask for the same: how many, and the first of them in the queue's order."""

    need: Need
    count: int
    first: tuple[int, ...]


def waiting_classes() -> list[WaitingClass]:
    """The classes of all that waits and is not held, the largest first; one query."""
    rows = fetch("waiting_classes", {"first": FIRST, "most": MOST_LOOKED_AT})
    return [
        WaitingClass(Need(cpu, memory, gpus, pinned, _conditions(requires)), count, tuple(first))
        for cpu, memory, gpus, pinned, requires, count, first in rows
    ]


def _conditions(stored: Any) -> Any:
    """What the planner heeds: of a spec that cannot be read, nothing."""
    try:
        return requirements(json.loads(stored) if stored else None)
    except (SpecUnreadable, ValueError):
        return ()
