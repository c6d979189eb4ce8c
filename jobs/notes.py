"""What recovery decides of an attempt, as notes: each becomes an event on its job. Pure.

The words are those of `jobs.reasons.NOTES`; a function here gives each its values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jobs.reasons import reason_text
from projects.quantities import duration_text

ADOPTED, LATE_START, FORMER_STOP = "adopted", "late_start", "former_stop"
NOT_SEEN, SEEN_AGAIN, LOG_GAP = "not_seen", "seen_again", "log_gap"


@dataclass(frozen=True, slots=True)
class Note:
    """A decision: its code, and the values of its words."""

    code: str
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def event(self) -> str:
        """The type of the event that tells it."""
        return f"attempt.{self.code}"


def adopted(holder: str, term: int, found: str) -> Note:
    """An engine process goes on with an attempt that another one drove."""
    return Note(ADOPTED, {"holder": holder, "term": term, "found": found})


def late_start() -> Note:
    """It was to be taken back before its start, and had started."""
    return Note(LATE_START)


def former_stop(reason: str, detail: Mapping[str, Any]) -> Note:
    """The stop that ended it was delivered by an engine process before this one."""
    return Note(FORMER_STOP, {"cause": reason_text(reason, detail)})


def not_seen(message: str) -> Note:
    """Its provider does not answer."""
    return Note(NOT_SEEN, {"message": message})


def seen_again(seconds: float) -> Note:
    """Its provider answers after so many seconds in which it did not."""
    return Note(SEEN_AGAIN, {"time": duration_text(seconds)})


def log_gap(why: str) -> Note:
    """Some of its output is lost."""
    return Note(LOG_GAP, {"why": why or "the rest of it could not be read."})
