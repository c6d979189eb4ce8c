"""NOTIFY: a hint that something changed. The poll is the guarantee, the row is the truth.

Two channels: `gantry_engine` wakes engine loops, `gantry_live` wakes the web processes'
relays. Postgres delivers at commit and drops the notice of a rolled-back transaction, so
these are called inside the transaction that makes the change. Payloads stay under 4 KB.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from django.db import connection

ENGINE_CHANNEL = "gantry_engine"
LIVE_CHANNEL = "gantry_live"
MOST_PER_NOTICE = 50
MOST_BYTES = 4000

EngineWord = Literal["jobs", "placed", "cancel", "requests", "providers"]


@dataclass(frozen=True, slots=True)
class JobChange:
    """A job that changed: its id, its new revision, its project, whether it has ended."""

    id: int
    rev: int
    project_id: int
    ended: bool = False

    def told(self) -> list[int]:
        """As a notice has it: an ended one with a 1 at its end."""
        return [self.id, self.rev, self.project_id, *([1] if self.ended else [])]


@dataclass(slots=True)
class LiveChanges:
    """What changed since the last notice; later revisions replace earlier ones."""

    jobs: dict[int, JobChange] = field(default_factory=dict)
    providers: dict[int, int] = field(default_factory=dict)
    requests: set[int] = field(default_factory=set)
    logs: dict[int, int] = field(default_factory=dict)
    resync: set[int] = field(default_factory=set)
    """Projects of which more changed than is worth naming."""

    def __bool__(self) -> bool:
        return bool(self.jobs or self.providers or self.requests or self.logs or self.resync)

    def add(self, other: LiveChanges) -> None:
        """Remember all that another one tells."""
        self.add_jobs(other.jobs.values())
        self.providers |= other.providers
        self.requests |= other.requests
        self.logs |= other.logs
        self.resync |= other.resync

    def add_jobs(self, changes: Iterable[JobChange]) -> None:
        """Remember jobs; the highest revision of each counts."""
        for change in changes:
            known = self.jobs.get(change.id)
            if known is None or known.rev < change.rev:
                self.jobs[change.id] = change

    def payloads(self) -> list[str]:
        """The notices to send: mostly one, several where more changed than one may tell.

        Where more jobs changed than one notice names, pages look at their projects again.
        """
        words: list[tuple[str, list[Any]]] = [
            ("providers", [list(item) for item in self.providers.items()]),
            ("requests", sorted(self.requests)),
            ("logs", [list(item) for item in self.logs.items()]),
        ]
        projects = set(self.resync)
        if len(self.jobs) <= MOST_PER_NOTICE:
            words.insert(0, ("jobs", [change.told() for change in self.jobs.values()]))
        else:
            projects |= {change.project_id for change in self.jobs.values()}
        if len(projects) > MOST_PER_NOTICE:
            return [_packed({"resync": []})]  # everything: nothing else need be told
        if projects:
            words.insert(0, ("resync", sorted(projects)))
        return [_packed(notice) for notice in _notices(words)]


def _notices(words: Sequence[tuple[str, list[Any]]]) -> Iterator[dict[str, list[Any]]]:
    """Fill notices one after the other, each up to its bounds."""
    notice: dict[str, list[Any]] = {}
    room = MOST_BYTES
    for key, items in words:
        for item in items:
            size = len(_packed(item)) + 1 + (0 if key in notice else len(key) + 6)
            if size > room or len(notice.get(key, ())) >= MOST_PER_NOTICE:
                yield notice
                notice, room = {}, MOST_BYTES
                size = len(_packed(item)) + 1 + len(key) + 6
            notice.setdefault(key, []).append(item)
            room -= size
    if notice:
        yield notice


def _packed(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def notify_engine(*words: EngineWord) -> None:
    """Wake the engine loops that care about these words."""
    with connection.cursor() as cursor:
        for word in words:
            cursor.execute("SELECT pg_notify(%s, %s)", [ENGINE_CHANNEL, word])


def notify_live(changes: LiveChanges) -> None:
    """Tell the web processes what changed."""
    _send(changes.payloads())


def notify_jobs(changes: Sequence[JobChange]) -> None:
    """Tell the web processes that these jobs changed."""
    live = LiveChanges()
    live.add_jobs(changes)
    notify_live(live)


def _send(payloads: Sequence[str]) -> None:
    with connection.cursor() as cursor:
        for payload in payloads:
            cursor.execute("SELECT pg_notify(%s, %s)", [LIVE_CHANNEL, payload])
