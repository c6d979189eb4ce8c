"""What room providers have while a plan fills it, and which of them a job gets. Pure.

Of the providers that fit a job:

1. *GPUs are kept for GPU jobs*: one that wants none goes where there are none, if it can.
2. *Emptiest or fullest first*: the emptiest after the job is on it; in a group that packs the
   fullest. Loads are told apart in steps of a twentieth. A provider that has the job's image
   may be a quarter fuller than one that has not (*image locality*).
3. *The cheaper one* by its cost per hour, then the one with the lower id.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from orchestrator.scheduling.fleet import Fleet, Mask, Numbers, numbers
from orchestrator.scheduling.snapshot import Demand, ProviderView
from providers.fit import AWAY, KEPT_FOR_GPUS, KEPT_FREE, STEPS

NO_LIMIT = 2**30
"""The slots of a provider that does not count them."""

Among = Sequence[int] | None
"""Places in the fleet beyond which a job need not look: room only shrinks while a plan is
made, so those that had it when the look began. `None`: there were many, look at all."""


class Rooms:
    """The room of all providers of a fleet."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        views = fleet.views
        self.cpu = numbers(v.free_cpu_millis for v in views)
        self.memory = numbers(v.free_memory_mb for v in views)
        self.gpus = numbers(v.free_gpus for v in views)
        self.slots = numbers(NO_LIMIT if v.free_slots is None else v.free_slots for v in views)
        self._kept_for: dict[int, int] = {}
        self._beside: dict[tuple[int, str, str], set[int]] = {}
        for index, view in enumerate(views):
            for pair in view.apart:
                self._beside.setdefault(pair, set()).add(index)

    def choose(self, demand: Demand, project: int, among: Among = None) -> int | None:
        """The place in the fleet of the provider that a job gets; None where none has room."""
        found = [i for i in self._with_room(demand, project, among) if i not in self._kept_for]
        if len(found) < 2:
            return found[0] if found else None
        return found[self._best(demand, np.array(found, np.intp))]

    def take(self, index: int, demand: Demand, project: int) -> None:
        """A job is placed there."""
        self.cpu[index] -= demand.cpu_millis
        self.memory[index] -= demand.memory_mb
        self.gpus[index] -= demand.gpus
        if self.slots[index] < NO_LIMIT:
            self.slots[index] -= 1
        for label, value in demand.apart:
            self._beside.setdefault((project, label, value), set()).add(index)

    def keep_free(self, demand: Demand, project: int, job: int) -> None:
        """Nothing more goes to the provider on which an overdue job will fit soonest: the one
        that lacks the smallest part of what the job asks for. No provider is kept for two, and
        not more than one in ten are kept."""
        if len(self._kept_for) >= max(1, len(self.fleet.views) // KEPT_FREE):
            return
        fitting = self.fleet.large(demand) & self.fleet.up
        fitting[[*self._kept_for, *self._shunned(demand, project)]] = False
        found = np.flatnonzero(fitting)
        if not found.size:
            return
        short = np.zeros(found.size)
        for asked, free in self._measures(demand):
            if asked:
                short = np.maximum(short, (asked - free[found]) / asked)
        index = int(found[np.argmin(short)])
        self._kept_for[index] = job

    def kept_from(
        self, demand: Demand, project: int, among: Among = None
    ) -> tuple[ProviderView, int] | None:
        """The provider that has room for such a job and is kept free for another, and for
        which; None where there is none."""
        if not self._kept_for:
            return None
        found = self._with_room(demand, project, among)
        index = next((i for i in found if i in self._kept_for), None)
        return None if index is None else (self.fleet.views[index], self._kept_for[index])

    def _measures(self, demand: Demand) -> tuple[tuple[int, Numbers], ...]:
        return (
            (demand.cpu_millis, self.cpu),
            (demand.memory_mb, self.memory),
            (demand.gpus, self.gpus),
        )

    def _shunned(self, demand: Demand, project: int) -> list[int]:
        """Where there is a job that this one keeps apart from."""
        found: set[int] = set()
        for label, value in demand.apart:
            found |= self._beside.get((project, label, value), set())
        return list(found)

    def _with_room(self, demand: Demand, project: int, among: Among) -> list[int]:
        """The places with room for it, kept free or not."""
        if among is not None:
            shunned = self._shunned(demand, project) if demand.apart else ()
            return [i for i in among if self._has_room(i, demand) and i not in shunned]
        mask: Mask = self.fleet.selected(demand) & self.fleet.up & (self.slots > 0)
        for asked, free in self._measures(demand):
            mask &= free >= asked
        mask[self._shunned(demand, project)] = False
        return np.flatnonzero(mask).tolist()

    def _has_room(self, index: int, demand: Demand) -> bool:
        return bool(
            self.cpu[index] >= demand.cpu_millis
            and self.memory[index] >= demand.memory_mb
            and self.gpus[index] >= demand.gpus
            and self.slots[index] > 0
        )

    def _best(self, demand: Demand, found: NDArray[np.intp]) -> int:
        """The place in `found` of the best of these providers."""
        fleet = self.fleet
        cpu, memory = fleet.cpu[found], fleet.memory[found]
        load = np.maximum(
            1 - (self.cpu[found] - demand.cpu_millis) / np.maximum(1, cpu),
            1 - (self.memory[found] - demand.memory_mb) / np.maximum(1, memory),
        )
        gpus = fleet.gpus[found]
        if demand.gpus:
            load = np.maximum(load, 1 - (self.gpus[found] - demand.gpus) / np.maximum(1, gpus))
        steps = np.ceil(load * STEPS - 1e-9)
        score = np.where(fleet.packs[found], STEPS - steps, steps)
        score += np.where(fleet.has_image(demand.image)[found], 0, AWAY)
        if not demand.gpus:
            score += np.where(gpus > 0, KEPT_FOR_GPUS, 0)
        return int(np.lexsort((fleet.cost[found], score))[0])
