"""What jobs ask of a provider, as the pages that count and list the queue read it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache

from jobs.orders import Requirement, SpecUnreadable, requirements
from providers.fit import Need


@dataclass(frozen=True, slots=True, order=True)
class QueuedDemand:
    """What some jobs ask for, as their classes have it; `requires` is JSON."""

    cpu_millis: int
    memory_mb: int
    gpus: int
    provider: str
    requires: str

    @property
    def need(self) -> Need:
        """The same as what a provider is asked."""
        conditions = _conditions(self.requires)
        return Need(self.cpu_millis, self.memory_mb, self.gpus, self.provider, conditions)


@lru_cache(maxsize=4096)
def _conditions(stored: str) -> tuple[Requirement, ...]:
    """What the planner heeds: of a spec that cannot be read, nothing."""
    try:
        return requirements(json.loads(stored))
    except (SpecUnreadable, ValueError):
        return ()
