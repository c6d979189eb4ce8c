"""Schedulers to compare with: our own, plain, and fast enough to run a whole trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from orchestrator.scheduling.fleet import Fleet
from orchestrator.scheduling.policy import Placed, Plan
from orchestrator.scheduling.rooms import Rooms
from orchestrator.scheduling.snapshot import Demand, Snapshot, WaitingClass

Picks = Callable[[Rooms, Demand, NDArray[np.intp]], int]


def first_come(snapshot: Snapshot) -> Plan:
    """Strictly one after the other as they came, each on the first provider with room: the
    first job without room holds up all behind it."""
    rooms = Rooms(Fleet(snapshot.providers))
    placements: list[Placed] = []
    for job, waiting in _in_order(snapshot):
        placed = _place(rooms, job, waiting, _first)
        if placed is None:
            break
        placements.append(placed)
    return Plan(tuple(placements))


def best_fit(snapshot: Snapshot) -> Plan:
    """As they came, passing over what has no room; each on the provider on which the least is
    left: the mean of the parts of CPU, memory and GPUs that stay free."""
    rooms = Rooms(Fleet(snapshot.providers))
    placements: list[Placed] = []
    refused: set[int] = set()
    for job, waiting in _in_order(snapshot):
        if waiting.id in refused:
            continue
        placed = _place(rooms, job, waiting, _tightest)
        if placed is None:
            refused.add(waiting.id)
        else:
            placements.append(placed)
    return Plan(tuple(placements))


def _in_order(snapshot: Snapshot) -> Iterator[tuple[int, WaitingClass]]:
    queued = [
        (since, job, at)
        for at, waiting in enumerate(snapshot.classes)
        for job, since in zip(waiting.jobs, waiting.since, strict=True)
    ]
    for _, job, at in sorted(queued):
        yield job, snapshot.classes[at]


def _place(rooms: Rooms, job: int, waiting: WaitingClass, picks: Picks) -> Placed | None:
    demand = waiting.demand
    found = np.flatnonzero(
        rooms.fleet.selected(demand)
        & rooms.fleet.up
        & (rooms.cpu >= demand.cpu_millis)
        & (rooms.memory >= demand.memory_mb)
        & (rooms.gpus >= demand.gpus)
    )
    if not found.size:
        return None
    index = picks(rooms, demand, found)
    rooms.take(index, demand, waiting.project)
    view = rooms.fleet.views[index]
    return Placed(
        job, waiting.id, waiting.project, view.id, view.name, demand, waiting.key
    )  # fmt: skip


def _first(rooms: Rooms, demand: Demand, found: NDArray[np.intp]) -> int:
    return int(found[0])


def _tightest(rooms: Rooms, demand: Demand, found: NDArray[np.intp]) -> int:
    fleet = rooms.fleet
    left = (rooms.cpu[found] - demand.cpu_millis) / np.maximum(1, fleet.cpu[found])
    left += (rooms.memory[found] - demand.memory_mb) / np.maximum(1, fleet.memory[found])
    left += (rooms.gpus[found] - demand.gpus) / np.maximum(1, fleet.gpus[found])
    return int(found[np.argmin(left)])
