"""NOTIFY: a hint that something changed. The poll is the guarantee, the row is the truth.

Two channels: `gantry_engine` wakes engine loops, `gantry_live` wakes the web processes'
relays. Postgres delivers at commit and drops the notice of a rolled-back transaction, so
these are called inside the transaction that makes the change. Payloads stay under 4 KB.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from django.db import connection

ENGINE_CHANNEL = "gantry_engine"
LIVE_CHANNEL = "gantry_live"
MOST_PER_NOTICE = 50

EngineWord = Literal["jobs", "placed", "cancel", "requests", "providers"]


@dataclass(frozen=True, slots=True)
class JobChange:
    """A job that changed: its id, its new revision, its project."""

    id: int
    rev: int
    project_id: int


@dataclass(slots=True)
class LiveChanges:
    """What changed since the last notice; later revisions replace earlier ones."""

    jobs: dict[int, JobChange] = field(default_factory=dict)
    providers: dict[int, int] = field(default_factory=dict)
    requests: set[int] = field(default_factory=set)
    logs: dict[int, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.jobs or self.providers or self.requests or self.logs)

    def add_jobs(self, changes: Iterable[JobChange]) -> None:
        """Remember jobs; the highest revision of each counts."""
        for change in changes:
            known = self.jobs.get(change.id)
            if known is None or known.rev < change.rev:
                self.jobs[change.id] = change

    def payloads(self) -> list[str]:
        """The notices to send: one, or several where many logs and few jobs changed."""
        if len(self.jobs) > MOST_PER_NOTICE:
            resync = sorted({change.project_id for change in self.jobs.values()})
            return [json.dumps({"resync": resync[:MOST_PER_NOTICE] if len(resync) < 50 else []})]
        notice: dict[str, Any] = {}
        if self.jobs:
            notice["jobs"] = [[c.id, c.rev, c.project_id] for c in self.jobs.values()]
        if self.providers:
            notice["providers"] = [list(item) for item in list(self.providers.items())[:50]]
        if self.requests:
            notice["requests"] = sorted(self.requests)[:50]
        notices = [notice] if notice else []
        logs = [list(item) for item in self.logs.items()]
        for start in range(0, len(logs), MOST_PER_NOTICE):
            notices.append({"logs": logs[start : start + MOST_PER_NOTICE]})
        if len(notices) > 1 and "logs" not in notices[0]:
            notices[0] |= notices.pop(1)
        return [json.dumps(item, separators=(",", ":")) for item in notices]


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
