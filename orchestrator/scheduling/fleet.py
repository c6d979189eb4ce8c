"""What providers are, as far as a plan is concerned: sizes, labels, images. Pure.

They stand in arrays, one place each, in the order of their ids; nothing here changes while a
plan is made. What follows from labels and sizes alone is worked out once and goes with the fleet
from look to look. `providers/fit.py` answers the same questions for one provider; a test
compares them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.scheduling.snapshot import Demand, ProviderView, Requirement
from providers.fit import matches
from providers.nearest import distance, no_match

Mask = NDArray[np.bool_]
Numbers = NDArray[np.int64]

MOST_KNOWN = 10_000
"""What follows for more selections than these is forgotten: they are what submitters write."""


class Fleet:
    """All providers."""

    def __init__(self, providers: Iterable[ProviderView]) -> None:
        views = self._look(providers)
        self._facts = _facts(views)
        self.cpu = numbers(v.total_cpu_millis for v in views)
        self.memory = numbers(v.total_memory_mb for v in views)
        self.gpus = numbers(v.total_gpus for v in views)
        self.packs: Mask = np.fromiter((v.pack for v in views), bool, len(views))
        self.cost = np.fromiter((v.cost_per_hour for v in views), float, len(views))
        self._labels: dict[str, tuple[list[str | None], Numbers]] = {}
        self._selections: dict[tuple[str, tuple[Requirement, ...]], Mask] = {}
        self._unmet: dict[tuple[Requirement, ...], str] = {}
        self._largest: dict[tuple[str, tuple[Requirement, ...]], int] = {}

    def _look(self, providers: Iterable[ProviderView]) -> list[ProviderView]:
        self.views = views = sorted(providers, key=lambda view: view.id)
        self.up: Mask = np.fromiter((not v.down for v in views), bool, len(views))
        self._images: dict[str, Mask] = {}
        return views

    def renewed(self, providers: Iterable[ProviderView]) -> Fleet:
        """The fleet of these providers, which knows what this one has worked out where the two
        differ in nothing but their room, whether they are down, and images."""
        other = copy.copy(self)
        same = _facts(other._look(providers)) == self._facts
        return other if same and len(self._selections) <= MOST_KNOWN else Fleet(other.views)

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

    def large(self, demand: Demand) -> Mask:
        """Which of the selected could run it, were they idle."""
        mask: Mask = self.selected(demand) & (self.cpu >= demand.cpu_millis)
        mask &= (self.memory >= demand.memory_mb) & (self.gpus >= demand.gpus)
        return mask

    def has_image(self, image: str) -> Mask:
        """Which have it."""
        mask = self._images.get(image)
        if mask is None:
            mask = np.fromiter((image in v.images for v in self.views), bool, len(self.views))
            self._images[image] = mask
        return mask

    def unmet(self, requires: tuple[Requirement, ...]) -> str:
        """Which of the conditions that no provider meets together nobody meets at all, and what
        the provider has instead that comes nearest, the first of equals. There must be one."""
        words = self._unmet.get(requires)
        if words is None:
            at, nobody = self._search_nearest(requires)
            near = self.views[at]
            words = self._unmet[requires] = no_match(
                requires, nobody, near.name, near.labels, self._label_keys
            )
        return words

    @cached_property
    def _label_keys(self) -> frozenset[str]:
        return frozenset(key for view in self.views for key in view.labels)

    def largest(self, demand: Demand) -> ProviderView:
        """The largest of the selected, of which there must be one: by GPUs, then memory, then
        CPU. Nobody knows the size of a place that never answered: it is the last choice."""
        selection = (demand.provider, demand.requires)
        found = self._largest.get(selection)
        if found is None:
            places = np.flatnonzero(self.selected(demand))
            known = places[self.memory[places] > 0]
            found = self._largest[selection] = max(
                (known if known.size else places[:1]).tolist(),
                key=lambda at: (self.gpus[at], self.memory[at], self.cpu[at]),
            )
        return self.views[found]

    def _search_nearest(self, requires: Sequence[Requirement]) -> tuple[int, list[Requirement]]:
        unmet, far = np.zeros(len(self.views)), np.zeros(len(self.views))
        nobody = []
        for one in requires:
            values, places = self._label(one.key)
            each = np.fromiter((distance(one, value) for value in values), float, len(values))
            unmet += each[places] > 0
            far += each[places]
            if each.all():
                nobody.append(one)
        return int(np.lexsort((far, unmet))[0]), nobody

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
            at = numbers(
                places.setdefault(view.labels.get(key), len(places)) for view in self.views
            )
            found = self._labels[key] = (list(places), at)
        return found


def _facts(views: Sequence[ProviderView]) -> list[Any]:
    return [
        (v.id, v.name, v.labels, v.total_cpu_millis, v.total_memory_mb, v.total_gpus, v.pack,
         v.cost_per_hour)
        for v in views
    ]  # fmt: skip


def numbers(values: Iterable[int]) -> Numbers:
    """An array of whole numbers."""
    return np.array(list(values), np.int64)
