"""What the planner sees: frozen views of what waits, of providers, projects and keys. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from jobs.allowance import NO_LIMITS, Amounts


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on a provider's labels (providers/fit.py has the operators)."""

    key: str
    op: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Demand:
    """What a job needs of a provider.

    `cpu_millis` thousandths of a core, `memory_mb` MiB. `provider` pins it by name. `apart`
    are labels with their values: it goes to no provider where a job of its project has one of
    them.
    """

    cpu_millis: int
    memory_mb: int
    gpus: int = 0
    provider: str = ""
    requires: tuple[Requirement, ...] = ()
    apart: tuple[tuple[str, str], ...] = ()
    image: str = ""


class Overflow(StrEnum):
    """What becomes of a job whose concurrency key is at its limit."""

    QUEUE = "queue"
    CANCEL_NEWEST = "cancel_newest"
    CANCEL_RUNNING = "cancel_running"


@dataclass(frozen=True, slots=True)
class Key:
    """A concurrency key: of its project's jobs with this name at most `limit` run at once."""

    name: str
    limit: int
    overflow: Overflow = Overflow.QUEUE


@dataclass(frozen=True, slots=True)
class WaitingClass:
    """Jobs that are all one to the planner but for when they came: one project, one priority,
    one demand, one key.

    `jobs` are the first of them in their order and `since` when the wait of each began, in
    seconds of the snapshot's clock, never falling; `more` tells that there are others behind.
    `told` is the reason and its numbers that they have been told.
    """

    id: int
    project: int
    priority: int
    demand: Demand
    jobs: tuple[int, ...]
    since: tuple[float, ...]
    more: bool = False
    key: Key | None = None
    told: tuple[str, Mapping[str, Any]] = ("queued", {})


@dataclass(frozen=True, slots=True)
class ProviderView:
    """A provider with what is free on it: totals less what live attempts hold.

    `down` is plain words when it cannot take jobs now (unreachable, draining, low disk),
    with `down_reason` the wait's code. `pack`: of its group's providers the fullest is taken
    first, else the emptiest. `images` are those asked for that it has. `apart` is what its
    live jobs have of that from which others keep apart: (project, label, value).
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
    pack: bool = False
    cost_per_hour: float = 0.0
    images: frozenset[str] = frozenset()
    apart: frozenset[tuple[int, str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class ProjectView:
    """A project's share of the instance: its weight in the fair turn, what its live attempts
    hold, and its limits. `paused` is who paused its queue and why, in words."""

    id: int
    slug: str
    weight: int = 100
    running: int = 0
    cpu_millis: int = 0
    memory_mb: int = 0
    gpus: int = 0
    limits: Amounts = NO_LIMITS
    paused: str = ""


@dataclass(frozen=True, slots=True)
class KeyView:
    """The live jobs of a key, the oldest first; those of `stopping` are told to stop already."""

    jobs: tuple[int, ...]
    stopping: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one look at the queue sees. `now` is in seconds of the database's clock; `keys` are
    by project and name. `patience` is how long a job waits at most, in seconds, before it is
    the next of all (orchestrator/scheduling/order.py).
    """

    classes: tuple[WaitingClass, ...] = ()
    providers: tuple[ProviderView, ...] = ()
    projects: Mapping[int, ProjectView] = field(default_factory=dict)
    keys: Mapping[tuple[int, str], KeyView] = field(default_factory=dict)
    now: float = 0.0
    patience: float = 6 * 3600.0
