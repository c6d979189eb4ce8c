"""Jobs that give way to others with their concurrency key. Pure.

`cancel_newest`: of a key's jobs no more than its limit run or wait; newer ones are cancelled.
`cancel_running`: the newest win: older waiting ones are cancelled, and running ones are told
to stop until the limit holds for those that wait. While its project is paused nothing that
waits can start, so nothing is cancelled for its sake.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from orchestrator.scheduling.snapshot import KeyView, Overflow, Snapshot, WaitingClass


@dataclass(frozen=True, slots=True)
class GivesWay:
    """This job is cancelled for the sake of `to`, another of its key; 0 where it is not known
    which one of those behind."""

    job: int
    key: str
    to: int


def giving_way(snapshot: Snapshot) -> tuple[GivesWay, ...]:
    """The jobs to cancel now. What lies beyond the snapshot's depth is seen when it comes up."""
    found: list[GivesWay] = []
    for (project, name), classes in _by_key(snapshot.classes).items():
        live = snapshot.keys.get((project, name), KeyView(()))
        owner = snapshot.projects.get(project)
        if any(_overflow(c) is Overflow.CANCEL_RUNNING for c in classes):
            found += [] if owner and owner.paused else _older(name, classes, live)
        else:
            found += _newer(name, classes, live)
    return tuple(found)


def without(classes: Iterable[WaitingClass], gone: frozenset[int]) -> tuple[WaitingClass, ...]:
    """The classes less those jobs."""
    kept = []
    for one in classes:
        if one.key is None or gone.isdisjoint(one.jobs):
            kept.append(one)
            continue
        pairs = [p for p in zip(one.jobs, one.since, strict=True) if p[0] not in gone]
        jobs, since = tuple(p[0] for p in pairs), tuple(p[1] for p in pairs)
        kept.append(replace(one, jobs=jobs, since=since))
    return tuple(kept)


def _by_key(
    classes: Iterable[WaitingClass],
) -> Mapping[tuple[int, str], list[WaitingClass]]:
    """The classes of each key where any of its jobs asks for more than to queue."""
    found: dict[tuple[int, str], list[WaitingClass]] = {}
    for one in classes:
        if one.key is not None and one.jobs:
            found.setdefault((one.project, one.key.name), []).append(one)
    return {
        key: group
        for key, group in found.items()
        if any(_overflow(one) is not Overflow.QUEUE for one in group)
    }


def _overflow(waiting: WaitingClass) -> Overflow:
    return waiting.key.overflow if waiting.key is not None else Overflow.QUEUE


def _limit(classes: Iterable[WaitingClass]) -> int:
    """The smallest that any of them asks for."""
    return min(one.key.limit for one in classes if one.key is not None)


def _newest_first(classes: Iterable[WaitingClass]) -> list[tuple[float, int, Overflow]]:
    queued = (
        (since, job, _overflow(one))
        for one in classes
        for job, since in zip(one.jobs, one.since, strict=True)
    )
    return sorted(queued, reverse=True)


def _newer(key: str, classes: list[WaitingClass], live: KeyView) -> list[GivesWay]:
    """Those that came when the key was full with what runs and what had come before."""
    queued = _newest_first(classes)[::-1]
    places = max(0, _limit(classes) - len(live.jobs))
    ahead = [*live.jobs, *(job for _, job, _ in queued[:places])]
    return [
        GivesWay(job, key, ahead[-1] if ahead else 0)
        for _, job, overflow in queued[places:]
        if overflow is Overflow.CANCEL_NEWEST
    ]


def _older(key: str, classes: list[WaitingClass], live: KeyView) -> list[GivesWay]:
    """All that waits but the newest, and as many of the running as the newest need."""
    queued, limit = _newest_first(classes), _limit(classes)
    if queued[0][2] is not Overflow.CANCEL_RUNNING:
        return []  # the newest is content to queue: nobody gives way to it
    newest = queued[0][1]
    staying = queued[:limit]
    gone = [GivesWay(job, key, newest) for _, job, _ in queued[limit:]]
    excess = len(live.jobs) + len(staying) - limit
    stopping = [job for job in live.jobs[: max(0, excess)] if job not in live.stopping]
    return gone + [GivesWay(job, key, newest) for job in stopping]
