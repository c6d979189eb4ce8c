"""What hosts see of an attempt: moves from phase to phase, and strides of several at once. Pure.

A short program's start, exit and end reach the writer together. A version of both rows for each
of them would be the greater part of what such a job costs the database.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from jobs.endings import Ending
from jobs.notes import Note
from jobs.states import LIVE_PHASES, Phase, phases_before
from projects.storable import storable, storable_values
from providers.leases import Fence

NOTE_CHARACTERS = 255

T = TypeVar("T")


class Written(StrEnum):
    """What became of a move. `STALE`: the row had gone elsewhere. `FENCED`: the lease is lost."""

    DONE = "done"
    STALE = "stale"
    FENCED = "fenced"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One attempt's next phase, with the facts and notes that come with it.

    `to` None: it stays where it is, and only its notes are told. `expect` narrows the phases
    it may come from; None means every phase the table allows. `fencing`: from here on its
    container may have been removed, not started, by us.
    """

    attempt: int
    job: int
    fence: Fence
    to: Phase | None
    expect: frozenset[Phase] | None = None
    handle: Mapping[str, Any] | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    ending: Ending | None = None
    log_complete: bool | None = None
    log_note: str | None = None
    notes: tuple[Note, ...] = ()
    fencing: bool = False

    def sources(self) -> frozenset[Phase]:
        """The phases this move may come from."""
        allowed = LIVE_PHASES if self.to is None else phases_before(self.to)
        return allowed if self.expect is None else allowed & self.expect


@dataclass(slots=True)
class Stride:
    """Moves of one attempt, each to a phase that may follow the one before: all are written,
    or none. `places` are theirs in the batch."""

    places: list[int]
    moves: list[Move]

    @property
    def last(self) -> Move:
        """The move that it ends with."""
        return self.moves[-1]

    @property
    def starts(self) -> bool:
        """Whether it tells that the program has started."""
        return any(move.to is Phase.RUNNING for move in self.moves)

    @property
    def started_at(self) -> datetime | None:
        """When its program started, by its engine, if a move tells it; the first counts."""
        return next((move.started_at for move in self.moves if move.started_at), None)

    def leads_to(self, move: Move) -> bool:
        """Whether a move can be part of it. One with notes is told with its own phase, before
        what follows."""
        at = self.last.to
        return (
            at is not None
            and move.to is not None
            and at in move.sources()
            and move.fence == self.last.fence
            and not self.last.notes
        )

    def row(self) -> dict[str, Any]:
        """As move_attempts.sql takes it. Of any other fact the newest that was brought counts."""
        moves = self.moves
        ending, note = self.last.ending, self.last.log_note
        return {
            "id": self.last.attempt,
            "expect": sorted(moves[0].sources()),
            "phase": self.last.to,
            "steps": [move.to for move in moves if move.to is not None],
            "lease": self.last.fence.name,
            "term": self.last.fence.term,
            "handle": _newest(move.handle for move in moves),
            "started_at": _iso(self.started_at),
            "finished_at": _iso(_newest(move.finished_at for move in moves)),
            "exit_code": ending.exit_code if ending else None,
            "outcome": ending.outcome if ending else None,
            "reason": ending.reason if ending else None,
            "detail": storable_values(ending.detail) if ending else None,
            "log_complete": self.last.log_complete,
            "log_note": storable(note, NOTE_CHARACTERS) if note else None,
            "fencing": any(move.fencing for move in moves),
        }

    def steps(self) -> list[Stride]:
        """Its moves, each by itself."""
        return [
            Stride([place], [move]) for place, move in zip(self.places, self.moves, strict=True)
        ]


def strides(moves: Sequence[Move]) -> list[deque[Stride]]:
    """A batch as each attempt's strides in their order."""
    of_attempt: dict[int, deque[Stride]] = {}
    for place, move in enumerate(moves):
        line = of_attempt.setdefault(move.attempt, deque())
        if line and line[-1].leads_to(move):
            line[-1].places.append(place)
            line[-1].moves.append(move)
        else:
            line.append(Stride([place], [move]))
    return list(of_attempt.values())


def _newest(values: Iterable[T | None]) -> T | None:
    newest = None
    for value in values:
        newest = newest if value is None else value
    return newest


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
