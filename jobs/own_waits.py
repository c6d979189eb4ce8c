"""When a job stood in line, and as one of which class; when it was held or backed off. Pure: told
by its events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from jobs.states import JobState

MOVES = ("job.moved", "job.reprioritised")
"""The events by which a job comes into another class."""
LEFT_CLASS = "left_class"
"""In their detail: which it was in before."""


class Waited(Protocol):
    """A job, as far as its present wait goes."""

    @property
    def queue_class_id(self) -> int | None: ...
    @property
    def held(self) -> bool: ...
    @property
    def not_before(self) -> datetime | None: ...


class Told(Protocol):
    """An event that took a job into the queue, happened to it there, or took it out."""

    @property
    def at(self) -> datetime: ...
    @property
    def type(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def detail(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True)
class InLine:
    """In line, in that class; `until` is None while it lasts."""

    since: datetime
    until: datetime | None
    waiting: int


@dataclass(frozen=True, slots=True)
class Aside:
    """Out of line: `held` or `backoff` with its numbers; `until` is None while it lasts."""

    since: datetime
    until: datetime | None
    reason: str
    detail: Mapping[str, Any]


def stretches(job: Waited, events: Sequence[Told]) -> Iterator[InLine | Aside]:
    """The stretches of all its waits, in their order. `events`, the oldest first, may begin
    anywhere: of what was before the first nothing is told."""
    open_: Aside | None = None
    in_line: datetime | None = None
    for at, (event, before) in enumerate(zip(events, _classes(job, events), strict=True)):
        if open_ is not None:
            if event.type in MOVES and not _over(open_, event.at):
                continue
            yield _ended(open_, event.at)
            if _over(open_, event.at):
                in_line = open_.until
            open_ = None
        if in_line is not None and before is not None and in_line < event.at:
            yield InLine(in_line, event.at, before)
        in_line = None
        if event.target == JobState.PENDING:
            open_ = _aside(job, event, events[at + 1 :])
            in_line = event.at if open_ is None else None
    if open_ is not None:
        yield open_
        in_line = open_.until
    if in_line is not None and job.queue_class_id is not None:
        yield InLine(in_line, None, job.queue_class_id)


def _aside(job: Waited, event: Told, later: Sequence[Told]) -> Aside | None:
    """The stretch out of line that begins with this event, if one does."""
    if event.type == "job.held":
        return Aside(event.at, None, "held", event.detail)
    if event.reason == "backoff":
        lasts = not later and job.not_before is not None
        due = None if lasts else event.at + timedelta(seconds=_seconds(event.detail))
        return Aside(event.at, due, "backoff", event.detail)
    if event.source != JobState.PENDING and _comes_held(job, later):
        return Aside(event.at, None, "held", {})
    return None


def _comes_held(job: Waited, later: Sequence[Told]) -> bool:
    """Whether a job was held from the beginning of a wait: then it was released first of all,
    unless that is still to come."""
    for event in later:
        if event.type in ("job.held", "job.released"):
            return event.type == "job.released"
        if event.target == JobState.SCHEDULED:
            return False
    return job.held


def _over(aside: Aside, at: datetime) -> bool:
    return aside.until is not None and aside.until <= at


def _ended(aside: Aside, at: datetime) -> Aside:
    return aside if _over(aside, at) else replace(aside, until=at)


def _classes(job: Waited, events: Sequence[Told]) -> list[int | None]:
    """The class that the job was in before each event; None where that is not known."""
    found: list[int | None] = []
    now = job.queue_class_id
    for event in reversed(events):
        if event.type in MOVES:
            now = event.detail.get(LEFT_CLASS)
        found.append(now)
    return found[::-1]


def _seconds(detail: Mapping[str, Any]) -> float:
    """How long a job backs off, which its event tells as "10 s"."""
    return float(str(detail.get("delay", "0")).split()[0])
