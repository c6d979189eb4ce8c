"""What the planner sees: frozen views of the queue and the providers. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on a provider's labels: `op` is eq, neq, in, not_in, exists or not_exists."""

    key: str
    op: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Demand:
    """What a job needs of a provider. Jobs with equal demands are one class to the planner.

    `cpu_millis` thousandths of a core, `memory_mb` MiB. `provider` pins it by name.
    """

    cpu_millis: int
    memory_mb: int
    gpus: int = 0
    provider: str = ""
    requires: tuple[Requirement, ...] = ()


@dataclass(frozen=True, slots=True)
class PendingJob:
    """A job that may be placed now. The queue's order is the snapshot's order."""

    id: int
    demand: Demand
    expired: bool = False
    """It has waited past its own queue limit."""


@dataclass(frozen=True, slots=True)
class ProviderView:
    """A provider with what is free on it: totals less what live attempts hold.

    `down` is plain words when it cannot take jobs now (unreachable, draining, low disk),
    with `down_reason` the wait's code.
    """

    id: int
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    total_cpu_millis: int = 0
    total_memory_mb: int = 0
    total_gpus: int = 0
    free_cpu_millis: int = 0
    free_memory_mb: int = 0
    free_gpus: int = 0
    free_slots: int | None = None
    down_reason: str = ""
    down: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The queue in its order (priority, then first come), and the providers."""

    queue: tuple[PendingJob, ...]
    providers: tuple[ProviderView, ...]
