"""What room providers have: for the planner's look, and again when its plan is committed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from jobs.held import Held
from orchestrator.scheduling.policy import Placed
from orchestrator.scheduling.snapshot import ProviderView
from providers.fit import Place, why_down


def view_of(place: Place, held: Held | None, now: datetime) -> ProviderView:
    """A provider as the planner sees it, with what its live attempts hold of it."""
    held = held or Held()
    reason, why = why_down(place, now)
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
