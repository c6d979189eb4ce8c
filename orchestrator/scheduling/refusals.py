"""Why no provider takes a job now. Pure.

The numbers of a stored reason change rarely, so that a long queue costs little; what is free
at the moment is read when a reason is shown.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from jobs.allowance import Refusal
from orchestrator.scheduling.fleet import Fleet
from orchestrator.scheduling.rooms import Rooms
from orchestrator.scheduling.sieve import Sieved
from orchestrator.scheduling.snapshot import Demand, WaitingClass
from projects.quantities import memory_text
from providers.nearest import unlike


def no_room(waiting: WaitingClass, found: Sieved, rooms: Rooms) -> Refusal:
    """The reason of a class that no provider takes; `found` is what the sieve told of it."""
    demand, fleet = waiting.demand, rooms.fleet
    if not fleet.views:
        return Refusal("no_provider", {})
    if not found.selected:
        return Refusal("no_match", {"why": _unmatched(demand, fleet)})
    if not found.large:
        return _too_large(demand, fleet)
    first = fleet.views[found.first]
    if not found.up:
        return Refusal(first.down_reason, {"provider": first.name, "why": first.down})
    kept = rooms.kept_from(demand, waiting.project, found.among) if found.fits else None
    if kept is not None:
        view, job = kept
        return Refusal("kept_free", {"provider": view.name, "job": job})
    if found.fits and demand.apart and _fits_alone(waiting, found, rooms):
        labels = " and ".join(f"{label} = {value}" for label, value in demand.apart)
        return Refusal("apart", {"labels": labels})
    return Refusal(
        "no_capacity",
        {
            "need": amount(demand.cpu_millis, demand.memory_mb, demand.gpus),
            "best": first.name if found.up == 1 else f"all {found.up} fitting providers",
        },
    )


@lru_cache(16_384)
def amount(cpu_millis: int, memory_mb: int, gpus: int = 0) -> str:
    """An amount in words: "1.5 CPU, 512 MiB"."""
    words = f"{cpu_millis / 1000:g} CPU, {memory_text(memory_mb)}"
    return f"{words}, {gpus} GPU" if gpus else words


def _too_large(demand: Demand, fleet: Fleet) -> Refusal:
    largest = fleet.largest(demand)
    if not largest.total_memory_mb and largest.down:
        return Refusal(largest.down_reason, {"provider": largest.name, "why": largest.down})
    return Refusal(
        "too_large",
        {
            "need": amount(demand.cpu_millis, demand.memory_mb, demand.gpus),
            "largest": amount(
                largest.total_cpu_millis, largest.total_memory_mb, largest.total_gpus
            ),
        },
    )


def _fits_alone(waiting: WaitingClass, found: Sieved, rooms: Rooms) -> bool:
    """Whether there is room but for what it keeps apart from."""
    alone = replace(waiting.demand, apart=())
    return rooms.choose(alone, waiting.project, found.among) is not None


def _unmatched(demand: Demand, fleet: Fleet) -> str:
    """Which label or name nobody has, and who comes nearest."""
    if not demand.provider:
        return fleet.unmet(demand.requires)
    for view in fleet.views:
        if view.name == demand.provider:
            return unlike(demand.requires, view.name, view.labels)
    return f"it may go to {demand.provider} only, which is switched off or gone"
