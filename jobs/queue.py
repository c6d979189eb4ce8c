"""Reading the queue and what is held: the scheduler's two questions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from jobs.held import Held
from jobs.sql import fetch


@dataclass(frozen=True, slots=True)
class Queued:
    """A pending job that may be placed now; `expired` when its queue limit has passed.
    `requires` is as it is stored."""

    id: int
    cpu_millis: int
    memory_mb: int
    gpus: int
    provider: str
    requires: Any
    expired: bool


def queued() -> list[Queued]:
    """The queue in its order (priority, then first come), held and backed-off jobs left out."""
    return [
        Queued(job, cpu, memory, gpus, provider, _decoded(requires), expired)
        for job, cpu, memory, gpus, provider, requires, expired in fetch("queue")
    ]


def held_capacity() -> dict[int, Held]:
    """Provider id → what its live attempts hold."""
    return {row[0]: Held(*row[1:]) for row in fetch("held_capacity")}


def _decoded(value: Any) -> Any:
    # Django leaves jsonb of a raw query as text.
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value
