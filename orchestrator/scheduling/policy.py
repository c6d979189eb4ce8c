"""`plan`: where each waiting job goes, or why it waits. Pure: no I/O, no clock, no chance.

What waits is walked in its true order (order.py). Jobs of one class are all one to the
planner: within a walk room and limits only shrink, so once one of a class is refused, so is
every one behind it, and all get the reason without a second look. The walk ends before the
first job that it would have to pass over unread: nothing is ever placed out of turn because
the snapshot was not deep enough; `Plan.more` then asks for another look at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from jobs.allowance import Refusal
from orchestrator.scheduling.limits import Limits
from orchestrator.scheduling.order import OVERDUE, Line
from orchestrator.scheduling.overflow import GivesWay, giving_way, without
from orchestrator.scheduling.refusals import no_room
from orchestrator.scheduling.rooms import Rooms
from orchestrator.scheduling.snapshot import Demand, Key, Snapshot, WaitingClass

NOTHING_TOLD: tuple[str, Mapping[str, Any]] = ("queued", {})


@dataclass(frozen=True, slots=True)
class Placed:
    """This job goes to that provider."""

    job: int
    project: int
    provider: int
    provider_name: str
    demand: Demand
    key: Key | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """The jobs of this class wait, for a reason of jobs/reasons.py with its numbers."""

    waiting: int
    reason: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """Placements in their order and, for every class passed over, a reason where it is not
    what its jobs have been told already."""

    placements: tuple[Placed, ...] = ()
    waits: tuple[Waiting, ...] = ()
    give_way: tuple[GivesWay, ...] = ()
    more: bool = False
    """The walk ended where the snapshot did: look again at once."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to commit."""
        return not (self.placements or self.waits or self.give_way)


def plan(snapshot: Snapshot) -> Plan:
    """Place what fits, in the true order; say of everything else why it waits."""
    give_way = giving_way(snapshot)
    gone = frozenset(one.job for one in give_way)
    if gone:
        snapshot = replace(snapshot, classes=without(snapshot.classes, gone))
    rooms, limits, line = Rooms(snapshot.providers), Limits.of(snapshot), Line(snapshot)
    sieved = list(rooms.sieve([waiting.demand for waiting in snapshot.classes]))
    placements: list[Placed] = []
    waits: list[Waiting] = []
    more = False
    for head in line:
        waiting, found = head.waiting, sieved[head.index]
        if head.unread:
            more = True
            break
        refusal = limits.refusal(waiting)
        index = None
        if refusal is None and found.fits:
            index = rooms.choose(waiting.demand, waiting.project)
        if index is not None:
            view = rooms.views[index]
            rooms.take(index, waiting.demand, waiting.project)
            limits.take(waiting)
            placements.append(
                Placed(head.job, waiting.project, view.id, view.name, waiting.demand, waiting.key)
            )
            line.started(head)
            continue
        if refusal is None:
            refusal = no_room(waiting, found, rooms)
            if head.level == OVERDUE:
                rooms.keep_free(waiting.demand, waiting.project, head.job)
        _tell(waits, waiting, refusal)
        line.refused(head)
    started = {p.job for p in placements}
    waits += (_no_longer(one) for one in snapshot.classes if _is_over(one, started))
    return Plan(tuple(placements), tuple(waits), give_way, more or bool(gone))


def _tell(waits: list[Waiting], waiting: WaitingClass, refusal: Refusal) -> None:
    if (refusal.reason, refusal.detail) != waiting.told:
        waits.append(Waiting(waiting.id, refusal.reason, refusal.detail))


def _is_over(waiting: WaitingClass, started: set[int]) -> bool:
    """Whether nothing of it waits any more that has been told a reason."""
    if waiting.told == NOTHING_TOLD or waiting.more:
        return False
    return not waiting.jobs or waiting.jobs[-1] in started


def _no_longer(waiting: WaitingClass) -> Waiting:
    return Waiting(waiting.id, *NOTHING_TOLD)
