"""When a provider did not answer, read from the changes of its health. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

BAD = ("unreachable", "degraded")


class HealthChange(Protocol):
    """An event of the type `provider.health`."""

    @property
    def at(self) -> datetime: ...
    @property
    def target(self) -> str: ...
    @property
    def detail(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class Outage:
    """A stretch in which it was unreachable or degraded, and what was said; `until` is none
    while it lasts."""

    health: str
    since: datetime
    until: datetime | None
    message: str

    @property
    def seconds(self) -> float | None:
        """How long it lasted, when it is over."""
        return None if self.until is None else (self.until - self.since).total_seconds()


def outages(changes: Sequence[HealthChange]) -> list[Outage]:
    """The outages behind changes that are told newest first; newest first."""
    found = []
    until: datetime | None = None
    for change in changes:
        if change.target in BAD:
            message = change.detail.get("message") if isinstance(change.detail, dict) else ""
            found.append(Outage(change.target, change.at, until, str(message or "")))
        until = change.at
    return found
