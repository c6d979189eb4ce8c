"""What providers say to all demands when a look begins, a thousand against a thousand in a few
steps: most of a long queue is answered here, and the walk need not look again. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestrator.scheduling.fleet import Mask, Numbers
from orchestrator.scheduling.rooms import Among, Rooms
from orchestrator.scheduling.snapshot import Demand, Requirement

_AT_ONCE = 1_000_000
"""Pairs of demand and provider that are held against each other in one step."""
FEW = 8
"""Of so many providers with room the places are told one by one."""


class Sieved(NamedTuple):
    """What providers say to one demand: how many are as it asks, how many of these are large
    enough, how many of those are up. `first` is the place of the first that is large enough
    and up, else of the first that is large enough. `fits`: one has room, and all that have are
    `among` these.

    Asks nothing of what jobs keep apart from.
    """

    selected: int = 0
    large: int = 0
    up: int = 0
    first: int = 0
    fits: bool = False
    among: Among = ()


def sieve(demands: Sequence[Demand], rooms: Rooms) -> list[Sieved]:
    """What providers say to each demand, as they are now."""
    if not rooms.fleet.views:
        return [Sieved()] * len(demands)
    step = max(1, _AT_ONCE // len(rooms.fleet.views))
    return [
        found
        for begin in range(0, len(demands), step)
        for found in _sieve(demands[begin : begin + step], rooms)
    ]


def _sieve(demands: Sequence[Demand], rooms: Rooms) -> Iterator[Sieved]:
    fleet = rooms.fleet
    asked = _halved(np.array([(d.cpu_millis, d.memory_mb, d.gpus) for d in demands], np.int64))
    cpu, memory, gpus = (asked[:, [column]] for column in range(3))
    selections: dict[tuple[str, tuple[Requirement, ...]], int] = {}
    rows = [selections.setdefault((d.provider, d.requires), len(selections)) for d in demands]
    kinds = np.array([fleet.selected(Demand(0, 0, 0, *one)) for one in selections])
    mask: Mask = kinds[rows]
    for needed, size in ((cpu, fleet.cpu), (memory, fleet.memory), (gpus, fleet.gpus)):
        mask &= needed <= _halved(size)
    large, first_large = _count(mask), mask.argmax(axis=1)
    mask &= fleet.up
    up, first_up = _count(mask), mask.argmax(axis=1)
    roomy = _roomy(rooms, asked.min(axis=0).tolist())
    mask = mask[:, roomy]
    for needed, free in ((cpu, rooms.cpu), (memory, rooms.memory), (gpus, rooms.gpus)):
        mask &= needed <= _halved(free[roomy])
    first = np.where(up > 0, first_up, first_large)
    counts = np.stack((_count(kinds)[rows], large, up, first), axis=1).tolist()
    for (selected, fit, ready, at), among in zip(counts, _among(mask, roomy), strict=True):
        yield Sieved(selected, fit, ready, at, among is None or bool(among), among)


def _roomy(rooms: Rooms, least: Sequence[int]) -> NDArray[np.intp]:
    """The places with room for the least of what is asked: few, where all else is taken."""
    mask: Mask = rooms.fleet.up & (rooms.slots > 0)
    for needed, free in zip(least, (rooms.cpu, rooms.memory, rooms.gpus), strict=True):
        mask &= free >= needed
    return np.flatnonzero(mask)


def _halved(amounts: Numbers) -> NDArray[np.int32]:
    # twice as fast to compare; no provider has two billion MiB, and nobody asks for less than 0
    return np.clip(amounts, -1, 2**31 - 1).astype(np.int32)


def _count(mask: Mask) -> NDArray[np.uint32]:
    # counted in 32 bits: four times as fast as in the 64 that are the default
    counts: NDArray[np.uint32] = np.add.reduce(mask, axis=1, dtype=np.uint32)
    return counts


def _among(mask: Mask, roomy: NDArray[np.intp]) -> Iterator[Among]:
    """Of each row the places whose columns are set, where these are few."""
    counts = _count(mask)
    few = np.flatnonzero((counts > 0) & (counts <= FEW))
    places = roomy[np.nonzero(mask[few])[1]].tolist()
    begin, told = 0, few.tolist()
    found: dict[int, Among] = {}
    for row, count in zip(told, counts[few].tolist(), strict=True):
        found[row] = places[begin : begin + count]
        begin += count
    return (found.get(row) if count else () for row, count in enumerate(counts.tolist()))
