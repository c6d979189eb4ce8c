"""What waits, in classes of equal demand, whoever's it is: for pages that tell what a provider,
or a change of one, means to the queue."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from jobs.orders import Requirement, SpecUnreadable, requirements
from jobs.sql import fetch
from jobs.whole_line import WholeLine
from projects.actor import Actor
from providers.fit import Need


@dataclass(frozen=True, slots=True)
class WaitingClass:
    """Jobs that ask for the same, and how many they are."""

    need: Need
    count: int


def waiting_classes() -> list[WaitingClass]:
    """The classes of all that waits and is not held, the largest first; one query."""
    return [
        WaitingClass(Need(cpu, memory, gpus, pinned, _conditions(requires)), count)
        for cpu, memory, gpus, pinned, requires, count in fetch("waiting_classes")
    ]


def first_in_line(
    line: WholeLine, actor: Actor, needs: frozenset[Need], most: int
) -> Iterator[tuple[int, Need]]:
    """The first jobs in line, in its order, that need one of these and that the actor may see;
    with what each needs."""
    visible = actor.project_ids()
    of_class = [
        Need(one.cpu_millis, one.memory_mb, one.gpus, one.provider, _conditions(one.requires))
        for one in line.classes
    ]
    wanted = [
        need in needs and (visible is None or one.project in visible)
        for need, one in zip(of_class, line.classes, strict=True)
    ]
    if any(wanted):
        places = np.flatnonzero(np.array(wanted)[line.order.classes])[:most]
        for place in places.tolist():
            yield int(line.order.jobs[place]), of_class[int(line.order.classes[place])]


@lru_cache(maxsize=4096)
def _conditions(stored: str) -> tuple[Requirement, ...]:
    """What the planner heeds: of a spec that cannot be read, nothing."""
    try:
        return requirements(json.loads(stored))
    except (SpecUnreadable, ValueError):
        return ()
