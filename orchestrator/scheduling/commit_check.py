"""What room providers have: for the planner's look, and again when its plan is committed. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from jobs.held import Held
from orchestrator.scheduling.limits import Limits
from orchestrator.scheduling.policy import Placed
from orchestrator.scheduling.snapshot import Demand, ProviderView
from providers.fit import Choice, matches, why_down


def view_of(
    place: Choice,
    held: Held | None,
    now: datetime,
    *,
    images: Collection[str] = (),
    apart: Collection[tuple[int, str, str]] = (),
) -> ProviderView:
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
        pack=place.packs,
        cost_per_hour=float(str(place.cost_per_hour or 0)),
        images=frozenset(images),
        apart=frozenset(apart),
    )


def still_fitting(
    placements: Sequence[Placed],
    views: Mapping[int, ProviderView],
    limits: Limits,
    labelled: Mapping[int, Collection[tuple[int, str, str]]] = {},
) -> list[Placed]:
    """Placements that fit into these providers and limits as they are now, in their order.

    A provider that is not among the views takes nothing, and one that went down or got other
    labels since takes what it would take now. `labelled`: by job, which labels it has that
    others of its project keep apart by.
    """
    left = {
        pk: [v.free_cpu_millis, v.free_memory_mb, v.free_gpus, v.free_slots]
        for pk, v in views.items()
    }
    beside = {pk: set(v.apart) for pk, v in views.items()}
    fitting = []
    for placement in placements:
        free, demand = left.get(placement.provider), placement.demand
        if free is None or not _takes(views[placement.provider], demand):
            continue
        if limits.refusal(placement) is not None:
            continue
        need = (demand.cpu_millis, demand.memory_mb, demand.gpus)
        slots = free[3]
        if any(n > (f or 0) for n, f in zip(need, free[:3], strict=True)) or slots == 0:
            continue
        apart = {(placement.project, *pair) for pair in demand.apart}
        if not apart.isdisjoint(beside[placement.provider]):
            continue
        beside[placement.provider] |= apart.union(labelled.get(placement.job, ()))
        limits.take(placement)
        left[placement.provider] = [
            *((f or 0) - n for n, f in zip(need, free[:3], strict=True)),
            None if slots is None else slots - 1,
        ]
        fitting.append(placement)
    return fitting


def _takes(view: ProviderView, demand: Demand) -> bool:
    """Whether the provider is up and what the job asks for, whatever room it has."""
    named = demand.provider in ("", view.name)
    return named and not view.down and all(matches(one, view.labels) for one in demand.requires)
