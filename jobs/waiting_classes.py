"""What waits, in classes of equal demand, whoever's it is: for pages that tell what a provider,
or a change of one, means to the queue."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from jobs.demands import QueuedDemand
from jobs.sql import fetch
from jobs.whole_line import WholeLine
from projects.actor import Actor
from providers.fit import Need

BESIDES_ROOM = (
    *("paused", "project_limit", "above_project_limit", "key_limit", "kept_limit"),
    *("kept_free", "apart"),
)
"""Reasons to wait for a provider's room that is free."""


@dataclass(frozen=True, slots=True)
class WaitingClass:
    """Jobs that ask for the same, and how many they are; `held_up`: how many of them wait for
    something else than room, as the planner's last look or their retry has it."""

    need: Need
    count: int
    held_up: int = 0


def waiting_classes() -> list[WaitingClass]:
    """The classes of all that waits and is not held, the largest first; one query."""
    return [
        WaitingClass(QueuedDemand(*demand).need, count, held_up)
        for *demand, count, held_up in fetch("waiting_classes", {"besides": list(BESIDES_ROOM)})
    ]


def first_in_line(
    line: WholeLine, actor: Actor, needs: frozenset[Need], most: int
) -> Iterator[tuple[int, Need]]:
    """The first jobs in line, in its order, that need one of these and that the actor may see;
    with what each needs."""
    visible = actor.project_ids()
    of_class = [one.demand.need for one in line.classes]
    wanted = [
        need in needs and (visible is None or one.project in visible)
        for need, one in zip(of_class, line.classes, strict=True)
    ]
    if any(wanted):
        places = np.flatnonzero(np.array(wanted)[line.order.classes])[:most]
        for place in places.tolist():
            yield int(line.order.jobs[place]), of_class[int(line.order.classes[place])]
