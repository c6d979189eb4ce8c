"""What room providers have while a plan fills it, and which of them a job gets. Pure.

Providers stand in arrays, one place each, in the order of their ids, so that one job is held
against all of them at once, and a thousand classes against a thousand providers in a few
steps. `providers/fit.py` answers the same questions for one provider; a test compares them.

Of the providers that fit a job:

1. *GPUs are kept for GPU jobs*: one that wants none goes where there are none, if it can.
2. *Emptiest or fullest first*: the emptiest after the job is on it; in a group that packs the
   fullest. Loads are told apart in steps of a twentieth. A provider that has the job's image
   may be a quarter fuller than one that has not (*image locality*).
3. *The cheaper one* by its cost per hour, then the one with the lower id.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.scheduling.snapshot import Demand, ProviderView, Requirement
from providers.fit import AWAY, KEPT_FOR_GPUS, STEPS, matches

_NO_LIMIT = 2**30
_AT_ONCE = 4_000_000
"""Pairs of class and provider that are held against each other in one step."""

Mask = NDArray[np.bool_]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Sieved:
    """What providers say to one demand before anything is placed: how many are as it asks, how
    many of these are large enough, how many of those are up, and whether one has room. `first`
    is the first that is large enough and up, else the first that is large enough."""

    selected: int
    large: int
    up: int
    fits: bool
    first: int


class Rooms:
    """The room of all providers."""

    def __init__(self, providers: Sequence[ProviderView]) -> None:
        self.views = sorted(providers, key=lambda view: view.id)
        views = self.views
        self._cpu = _numbers(v.free_cpu_millis for v in views)
        self._memory = _numbers(v.free_memory_mb for v in views)
        self._gpus = _numbers(v.free_gpus for v in views)
        self._slots = _numbers(_NO_LIMIT if v.free_slots is None else v.free_slots for v in views)
        self._all_cpu = _numbers(v.total_cpu_millis for v in views)
        self._all_memory = _numbers(v.total_memory_mb for v in views)
        self._all_gpus = _numbers(v.total_gpus for v in views)
        self._up: Mask = np.fromiter((not v.down for v in views), bool, len(views))
        self._packs: Mask = np.fromiter((v.pack for v in views), bool, len(views))
        self._cost = np.fromiter((v.cost_per_hour for v in views), float, len(views))
        self._kept_for: dict[int, int] = {}
        self._open: Mask = np.ones(len(views), bool)
        self._labels: dict[str, tuple[list[str | None], Numbers]] = {}
        self._selections: dict[tuple[str, tuple[Requirement, ...]], Mask] = {}
        self._images: dict[str, Mask] = {}
        self._beside: dict[tuple[int, str, str], set[int]] = {}
        for index, view in enumerate(views):
            for pair in view.apart:
                self._beside.setdefault(pair, set()).add(index)

    def sieve(self, demands: Sequence[Demand]) -> Iterator[Sieved]:
        """What providers say to each demand, as they are now, all classes together."""
        step = max(1, _AT_ONCE // max(1, len(self.views)))
        for begin in range(0, len(demands), step):
            yield from self._sieve(demands[begin : begin + step])

    def choose(self, demand: Demand, project: int) -> int | None:
        """The place in `views` of the provider that a job gets; None where none has room."""
        fits = self._fitting(demand, project) & self._open
        found = np.flatnonzero(fits)
        return int(found[self._best(demand, found)]) if found.size else None

    def take(self, index: int, demand: Demand, project: int) -> None:
        """A job is placed there."""
        self._cpu[index] -= demand.cpu_millis
        self._memory[index] -= demand.memory_mb
        self._gpus[index] -= demand.gpus
        if self._slots[index] < _NO_LIMIT:
            self._slots[index] -= 1
        for label, value in demand.apart:
            self._beside.setdefault((project, label, value), set()).add(index)

    def keep_free(self, demand: Demand, project: int, job: int) -> None:
        """Nothing more goes to the provider on which an overdue job will fit soonest: the one
        that lacks the smallest part of what the job asks for. No provider is kept for two."""
        fitting = self._suited(demand, project) & self._up & self._open
        found = np.flatnonzero(fitting)
        if not found.size:
            return
        short = np.zeros(found.size)
        for asked, free in self._measures(demand):
            if asked:
                short = np.maximum(short, (asked - free[found]) / asked)
        index = int(found[np.argmin(short)])
        self._open[index] = False
        self._kept_for[index] = job

    def kept_from(self, demand: Demand, project: int) -> tuple[ProviderView, int] | None:
        """The provider that has room for such a job and is kept free for another, and for
        which; None where there is none."""
        if not self._kept_for:
            return None
        for index in np.flatnonzero(self._fitting(demand, project) & ~self._open):
            return self.views[int(index)], self._kept_for[int(index)]
        return None

    def selected(self, demand: Demand) -> Mask:
        """Which providers are what it asks for by name and labels, whatever their size."""
        selection = (demand.provider, demand.requires)
        mask = self._selections.get(selection)
        if mask is None:
            mask = np.ones(len(self.views), bool)
            if demand.provider:
                mask &= np.fromiter(
                    (v.name == demand.provider for v in self.views), bool, len(self.views)
                )
            for requirement in demand.requires:
                mask &= self._meets(requirement)
            self._selections[selection] = mask
        return mask

    # --- what a job meets ---

    def _measures(self, demand: Demand) -> tuple[tuple[int, Numbers], ...]:
        return (
            (demand.cpu_millis, self._cpu),
            (demand.memory_mb, self._memory),
            (demand.gpus, self._gpus),
        )

    def _suited(self, demand: Demand, project: int) -> Mask:
        """Selected, large enough, and without one that it keeps apart from."""
        mask: Mask = self.selected(demand) & (self._all_cpu >= demand.cpu_millis)
        mask &= (self._all_memory >= demand.memory_mb) & (self._all_gpus >= demand.gpus)
        for label, value in demand.apart:
            mask[list(self._beside.get((project, label, value), ()))] = False
        return mask

    def _fitting(self, demand: Demand, project: int) -> Mask:
        mask = self._suited(demand, project)
        for asked, free in self._measures(demand):
            mask &= free >= asked
        mask &= self._up & (self._slots > 0)
        return mask

    def _best(self, demand: Demand, found: NDArray[np.intp]) -> int:
        """The place in `found` of the best of these providers."""
        cpu, memory = self._all_cpu[found], self._all_memory[found]
        load = np.maximum(
            1 - (self._cpu[found] - demand.cpu_millis) / np.maximum(1, cpu),
            1 - (self._memory[found] - demand.memory_mb) / np.maximum(1, memory),
        )
        gpus = self._all_gpus[found]
        if demand.gpus:
            load = np.maximum(load, 1 - (self._gpus[found] - demand.gpus) / np.maximum(1, gpus))
        steps = np.ceil(load * STEPS - 1e-9)
        score = np.where(self._packs[found], STEPS - steps, steps)
        score += np.where(self._has_image(demand.image)[found], 0, AWAY)
        if not demand.gpus:
            score += np.where(gpus > 0, KEPT_FOR_GPUS, 0)
        return int(np.lexsort((self._cost[found], score))[0])

    # --- labels and images ---

    def _meets(self, requirement: Requirement) -> Mask:
        values, places = self._label(requirement.key)
        told = (
            matches(requirement, {} if value is None else {requirement.key: value})
            for value in values
        )
        return np.fromiter(told, bool, len(values))[places]

    def _label(self, key: str) -> tuple[list[str | None], Numbers]:
        """The values of a label that providers have, and which of them each has."""
        found = self._labels.get(key)
        if found is None:
            places: dict[str | None, int] = {}
            numbers = _numbers(
                places.setdefault(view.labels.get(key), len(places)) for view in self.views
            )
            found = self._labels[key] = (list(places), numbers)
        return found

    def _has_image(self, image: str) -> Mask:
        mask = self._images.get(image)
        if mask is None:
            mask = np.fromiter((image in v.images for v in self.views), bool, len(self.views))
            self._images[image] = mask
        return mask

    def _sieve(self, demands: Sequence[Demand]) -> Iterator[Sieved]:
        if not self.views:
            return iter([Sieved(0, 0, 0, fits=False, first=0)] * len(demands))
        asked = np.array([(d.cpu_millis, d.memory_mb, d.gpus) for d in demands], np.int64)
        cpu, memory, gpus = (asked[:, [column]] for column in range(3))
        selections: dict[tuple[str, tuple[Requirement, ...]], int] = {}
        rows = [selections.setdefault((d.provider, d.requires), len(selections)) for d in demands]
        kinds = np.array([self.selected(Demand(0, 0, 0, *one)) for one in selections])
        selected = kinds[rows]
        large = selected & (cpu <= self._all_cpu) & (memory <= self._all_memory)
        large &= gpus <= self._all_gpus
        up = large & self._up
        fits = up & (cpu <= self._cpu) & (memory <= self._memory)
        fits &= (gpus <= self._gpus) & (self._slots > 0)
        ups = up.sum(axis=1)
        first = np.where(ups > 0, up.argmax(axis=1), large.argmax(axis=1))
        columns = (kinds.sum(axis=1)[rows], large.sum(axis=1), ups, fits.any(axis=1), first)
        answers = zip(*(column.tolist() for column in columns), strict=True)
        return (Sieved(*answer) for answer in answers)


def _numbers(values: Iterator[int] | Sequence[int]) -> Numbers:
    return np.array(list(values), np.int64)
