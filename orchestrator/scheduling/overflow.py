"""Jobs that give way to others with their concurrency key. Pure.

The newest is the one that was submitted last, whenever its present wait began: a retry is as old
as its job.

`cancel_newest`: of a key's jobs no more than its limit run or wait; newer ones are cancelled.
`cancel_running`: the newest win: older waiting ones are cancelled, and older running ones are told
to stop until the limit holds for those that wait. Nothing is cancelled for the sake of a job that
could not start in its place, because its project is paused or has too low a limit, or no provider
that is up is large enough for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.scheduling.snapshot import KeyView, Overflow, Snapshot, WaitingClass


@dataclass(frozen=True, slots=True)
class GivesWay:
    """This job is cancelled for the sake of `to`, another of its key."""

    job: int
    key: str
    to: int


@dataclass(frozen=True, slots=True)
class _Member:
    """A job of a key that waits. `able`: it could start once others have gone."""

    job: int
    overflow: Overflow
    able: bool


def giving_way(snapshot: Snapshot, able: Callable[[int], bool]) -> tuple[GivesWay, ...]:
    """The jobs to cancel now. `able` tells of the place of a class whether its jobs could start
    once others have gone. What lies beyond the snapshot's depth is seen when it comes up."""
    found: list[GivesWay] = []
    for (project, name), places in _by_key(snapshot.classes).items():
        classes = [snapshot.classes[at] for at in places]
        live = snapshot.keys.get((project, name), KeyView(()))
        limit = min(one.key.limit for one in classes if one.key is not None)
        waiting = sorted(
            (
                _Member(job, one.key.overflow, able(at))
                for at, one in zip(places, classes, strict=True)
                if one.key is not None
                for job in one.jobs
            ),
            key=lambda member: member.job,
        )
        if any(member.overflow is Overflow.CANCEL_RUNNING for member in waiting):
            read = not any(one.more for one in classes)
            found += (GivesWay(job, name, to) for job, to in _older(waiting, live, limit, read))
        else:
            found += (GivesWay(job, name, to) for job, to in _newer(waiting, live, limit))
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


def _by_key(classes: Sequence[WaitingClass]) -> Mapping[tuple[int, str], list[int]]:
    """The places of the classes of each key where any of its jobs asks for more than to queue."""
    found: dict[tuple[int, str], list[int]] = {}
    hasty = set()
    for at, one in enumerate(classes):
        if one.key is not None and one.jobs:
            name = (one.project, one.key.name)
            found.setdefault(name, []).append(at)
            if one.key.overflow is not Overflow.QUEUE:
                hasty.add(name)
    return {name: places for name, places in found.items() if name in hasty}


def _newer(waiting: list[_Member], live: KeyView, limit: int) -> Iterable[tuple[int, int]]:
    """Those that came when the key was full with what runs and what had come before."""
    order = sorted([*live.jobs, *(member.job for member in waiting)])
    ahead = set(order[:limit])
    for member in waiting:
        if member.overflow is Overflow.CANCEL_NEWEST and member.job not in ahead:
            yield member.job, order[limit - 1]


def _older(
    waiting: list[_Member], live: KeyView, limit: int, read: bool
) -> Iterable[tuple[int, int]]:
    """Those to which as many newer ones run as may; and for the newest that waits, older ones
    that wait or run until it has its place. `read`: these are all that wait, and only then is it
    known which is the newest."""
    running = [job for job in live.jobs if job not in live.stopping]
    beaten = {
        member.job
        for member in waiting
        if member.overflow is Overflow.CANCEL_RUNNING
        and sum(job > member.job for job in running) >= limit
    }
    yield from ((job, running[-1]) for job in sorted(beaten))
    left = [member for member in waiting if member.job not in beaten]
    able = [member for member in left if member.able]
    if not able or able[-1].overflow is not Overflow.CANCEL_RUNNING:
        return  # the newest is content to queue: nobody gives way to it
    newest = able[-1].job
    wanted = sorted([*running, *(member.job for member in able)])
    if len(wanted) < limit:
        return
    oldest = wanted[-limit]
    yield from ((member.job, newest) for member in left if member.job < oldest)
    if read:
        yield from ((job, newest) for job in running if job < oldest)
