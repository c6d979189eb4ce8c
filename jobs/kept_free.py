"""Which providers the planner keeps free, and for whom: told by the rules of its own walk
(orchestrator/scheduling/rooms.py; a test compares the two). Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from providers.fit import KEPT_FREE, Answer, Fit, Given, Need, Place, fit

Apart = Mapping[int, Collection[tuple[int, str, str]]]
"""Provider → (project, label, value) that jobs there have, from which others keep apart."""


@dataclass(frozen=True, slots=True)
class Overdue:
    """A job that has waited too long; `waiting` is its class, `key` its concurrency key as a
    demand has it (jobs/asks.py). `for_room`: nothing but room keeps it; `has_key`: nor does its
    key, if it has one."""

    job: int
    waiting: int
    project: int
    need: Need
    key: Mapping[str, Any] | None = None
    for_room: bool = True
    has_key: bool = True


def kept_free(
    overdue: Iterable[Overdue],
    places: Sequence[Place],
    used: Mapping[int, Given],
    now: datetime,
    apart: Apart,
) -> dict[int, int]:
    """Provider → the job that it is kept free for. `overdue`: the one first that has waited
    longest; of jobs that are all one to the planner only the first. `used` is what live attempts
    hold of each provider."""
    places = sorted((p for p in places if p.mode != "inactive"), key=lambda p: p.pk)
    most, kept = max(1, len(places) // KEPT_FREE), dict[int, int]()
    for one in overdue:
        if len(kept) == most:
            break
        if not one.for_room:
            continue
        found = [
            (p.pk, said)
            for p in places
            if p.pk not in kept
            and (said := _said(one, p, used, now, apart)).answer in (Answer.FITS, Answer.FULL)
            and p.total_memory_mb
        ]
        if found and all(said.answer is Answer.FULL for _, said in found):
            pk, _ = min(found, key=lambda pair: _short(one.need, pair[1]))
            kept[pk] = one.job
    return kept


def _said(
    one: Overdue, place: Place, used: Mapping[int, Given], now: datetime, apart: Apart
) -> Fit:
    pairs = {
        (label, value) for owner, label, value in apart.get(place.pk, ()) if owner == one.project
    }
    return fit(one.need, place, used[place.pk], now, pairs)


def _short(need: Need, said: Fit) -> float:
    """The largest part of what it asks for that is missing."""
    return max(
        lacks / asked if asked else 0.0
        for lacks, asked in (
            (said.lacks_cpu_millis, need.cpu_millis),
            (said.lacks_memory_mb, need.memory_mb),
            (said.lacks_gpus, need.gpus),
        )
    )
