"""`plan`: where each waiting job goes, or why it waits. Pure: no I/O, no clock, no chance.

What waits is walked in its true order (order.py). Jobs of one class are all one to the
planner: within a walk room and limits only shrink, so once one of a class is refused, so is
every one behind it, and all get the reason without a second look. For the same reason a class
for which no provider has room when the look begins need not be walked at all; but an overdue
one is, because providers are kept free for it in its turn. Why they wait is told by how things
stand when the walk is over.

The walk ends before the first job that it would have to pass over unread: nothing is ever
placed out of turn because the snapshot was not deep enough; `Plan.more` then asks for another
look at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from jobs.allowance import KEPT_LIMIT, Refusal
from orchestrator.scheduling.fleet import Fleet
from orchestrator.scheduling.limits import Limits
from orchestrator.scheduling.order import OVERDUE, Line
from orchestrator.scheduling.overflow import GivesWay, giving_way, without
from orchestrator.scheduling.refusals import no_room
from orchestrator.scheduling.rooms import Rooms
from orchestrator.scheduling.sieve import Sieved, sieve
from orchestrator.scheduling.snapshot import Demand, Key, Snapshot, WaitingClass

NOTHING_TOLD: tuple[str, Mapping[str, Any]] = ("queued", {})


@dataclass(frozen=True, slots=True)
class Placed:
    """This job, of the class `waiting`, goes to that provider."""

    job: int
    waiting: int
    project: int
    provider: int
    provider_name: str
    demand: Demand
    key: Key | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """The jobs of this class wait, for a reason of jobs/reasons.py with its numbers."""

    waiting: int
    reason: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """Placements in their order and, for every class passed over, a reason where it is not
    what its jobs have been told already."""

    placements: tuple[Placed, ...] = ()
    waits: tuple[Told, ...] = ()
    give_way: tuple[GivesWay, ...] = ()
    more: bool = False
    """The walk ended where the snapshot did: look again at once."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to commit."""
        return not (self.placements or self.waits or self.give_way)


def plan(snapshot: Snapshot, fleet: Fleet | None = None) -> Plan:
    """Place what fits, in the true order; say of everything else why it waits. `fleet` is of the
    snapshot's providers, for who keeps it from look to look."""
    rooms, limits = Rooms(fleet or Fleet(snapshot.providers)), Limits.of(snapshot)
    sieved = sieve([waiting.demand for waiting in snapshot.classes], rooms)

    def able(at: int) -> bool:
        """Whether jobs of the class at this place start once others have gone."""
        return bool(sieved[at].up) and not limits.never(snapshot.classes[at])

    give_way = giving_way(snapshot, able)
    gone = frozenset(one.job for one in give_way)
    if gone:
        snapshot = replace(snapshot, classes=without(snapshot.classes, gone))
        if any(waiting.more and not waiting.jobs for waiting in snapshot.classes):
            # All that was read of it is gone, and nobody knows whose turn comes before the next.
            return Plan(give_way=give_way, more=True)
    line = Line(snapshot, {at for at, found in enumerate(sieved) if not found.fits})
    placements: list[Placed] = []
    more = False
    for head in line:
        if head.unread:
            more = True
            break
        waiting, found = head.waiting, sieved[head.index]
        free, index = limits.refusal(waiting) is None, None
        if free and found.fits:
            index = rooms.choose(waiting.demand, waiting.project, found.among)
        if index is not None:
            view = rooms.fleet.views[index]
            rooms.take(index, waiting.demand, waiting.project)
            limits.take(waiting)
            placements.append(
                Placed(
                    head.job,
                    waiting.id,
                    waiting.project,
                    view.id,
                    view.name,
                    waiting.demand,
                    waiting.key,
                )
            )
            line.started(head)
            continue
        if head.level == OVERDUE and able(head.index):
            limits.keep(waiting, head.job)
            if free:
                rooms.keep_free(waiting.demand, waiting.project, head.job)
        line.refused(head)
    waits: list[Told] = []
    for index in line.passed_over():
        waiting = snapshot.classes[index]
        why = _why(waiting, sieved[index], limits, rooms)
        if (why.reason, why.detail) != waiting.told:
            waits.append(Told(waiting.id, why.reason, why.detail))
    started = {p.job for p in placements}
    waits += (_no_longer(one) for one in snapshot.classes if _is_over(one, started))
    return Plan(tuple(placements), tuple(waits), give_way, more or bool(gone))


def _why(waiting: WaitingClass, found: Sieved, limits: Limits, rooms: Rooms) -> Refusal:
    """Why the jobs of a class wait, as things stand when the walk is over. What no provider will
    ever take is told so first: no limit would help it. And what no provider takes now waits for
    nothing that is kept for another."""
    refusal = limits.refusal(waiting) if found.large else None
    if refusal is None or (refusal.reason == KEPT_LIMIT and not found.up):
        return no_room(waiting, found, rooms)
    return refusal


def _is_over(waiting: WaitingClass, started: set[int]) -> bool:
    """Whether nothing of it waits any more that has been told a reason."""
    if waiting.told == NOTHING_TOLD or waiting.more:
        return False
    return not waiting.jobs or waiting.jobs[-1] in started


def _no_longer(waiting: WaitingClass) -> Told:
    return Told(waiting.id, *NOTHING_TOLD)
