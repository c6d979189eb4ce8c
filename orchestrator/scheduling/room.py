"""What room providers have: for the planner's look, and again when its plan is committed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from jobs.held import Held
from orchestrator.scheduling.policy import Placed
from orchestrator.scheduling.snapshot import ProviderView
from providers.driver import Health

LOW_DISK_BYTES = 2 * 2**30
LOW_DISK_SHARE = 0.05
UNWATCHED = timedelta(seconds=90)
"""A provider that nobody has probed for so long may be anything: it gets no new jobs."""


class Place(Protocol):
    """A provider's row, as far as its room goes; amounts in thousandths of a core and MiB."""

    @property
    def pk(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def labels(self) -> Mapping[str, Any]: ...
    @property
    def mode(self) -> str: ...
    @property
    def health(self) -> str: ...
    @property
    def probed_at(self) -> datetime | None: ...
    @property
    def total_cpu_millis(self) -> int: ...
    @property
    def total_memory_mb(self) -> int: ...
    @property
    def total_gpus(self) -> int: ...
    @property
    def slots(self) -> int | None: ...
    @property
    def disk_free_bytes(self) -> int | None: ...
    @property
    def disk_total_bytes(self) -> int | None: ...


def view_of(place: Place, held: Held | None, now: datetime) -> ProviderView:
    """A provider as the planner sees it, with what its live attempts hold of it."""
    held = held or Held()
    reason, why = _down(place, now)
    return ProviderView(
        id=place.pk,
        name=place.name,
        labels={str(k): str(v) for k, v in place.labels.items()},
        total_cpu_millis=place.total_cpu_millis,
        total_memory_mb=place.total_memory_mb,
        total_gpus=place.total_gpus,
        free_cpu_millis=place.total_cpu_millis - held.cpu_millis,
        free_memory_mb=place.total_memory_mb - held.memory_mb,
        free_gpus=place.total_gpus - held.gpus,
        free_slots=None if place.slots is None else max(0, place.slots - held.attempts),
        down_reason=reason,
        down=why,
    )


def _down(place: Place, now: datetime) -> tuple[str, str]:
    """Why an active provider cannot take jobs now: a wait's code and words, or two blanks."""
    if place.mode == "draining":
        return "provider_down", "it is draining"
    if place.health not in (Health.HEALTHY, Health.DEGRADED):
        if place.health == "unknown":
            return "provider_down", "it has not been looked at yet"
        return "provider_down", "it is unreachable"  # its page says why
    if place.probed_at is None or now - place.probed_at > UNWATCHED:
        return "provider_down", "no engine process looks at it"
    free, total = place.disk_free_bytes, place.disk_total_bytes
    if free is not None and free < max(LOW_DISK_BYTES, LOW_DISK_SHARE * (total or 0)):
        return "disk_low", f"only {free / 2**30:.1f} GiB of its disk is free"
    return "", ""


def still_fitting(placements: Sequence[Placed], views: Mapping[int, ProviderView]) -> list[Placed]:
    """Placements that fit into these providers as they are now, in their order.

    A provider that is not among the views takes nothing.
    """
    left = {
        pk: [v.free_cpu_millis, v.free_memory_mb, v.free_gpus, v.free_slots]
        for pk, v in views.items()
    }
    fitting = []
    for placement in placements:
        free = left.get(placement.provider)
        if free is None:
            continue
        demand = placement.demand
        need = (demand.cpu_millis, demand.memory_mb, demand.gpus)
        slots = free[3]
        if any(n > (f or 0) for n, f in zip(need, free[:3], strict=True)) or slots == 0:
            continue
        left[placement.provider] = [
            *((f or 0) - n for n, f in zip(need, free[:3], strict=True)),
            None if slots is None else slots - 1,
        ]
        fitting.append(placement)
    return fitting
