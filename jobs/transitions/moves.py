"""Attempts take their next phase and their jobs follow: the engine's writes, in batches."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from jobs.endings import Ending
from jobs.notes import Note, log_gap
from jobs.sql import fetch
from jobs.states import LIVE_PHASES, Phase, phases_before
from jobs.transitions.ends import Ended, end_jobs, telling
from projects.actor import Actor
from projects.events import Happening, record
from projects.models import ActorKind
from projects.notify import JobChange
from projects.storable import storable, storable_values
from providers.leases import Fence

NOTE_CHARACTERS = 255
HOST = Actor(ActorKind.HOST, None, "engine", "engine", is_superuser=True)


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
class BatchResult:
    """What a batch did: an answer per move, and the jobs whose pages must be told."""

    written: list[Written]
    jobs: list[JobChange] = field(default_factory=list)


def apply(moves: Sequence[Move]) -> BatchResult:
    """Write a batch of moves inside the caller's transaction, in their order.

    Several moves of one attempt are written one after the other. Answers stand in the
    order of the moves.
    """
    result = BatchResult([Written.FENCED] * len(moves))
    waiting = list(enumerate(moves))
    while waiting:
        wave: dict[int, tuple[int, Move]] = {}
        later: list[tuple[int, Move]] = []
        for i, move in waiting:
            if move.attempt in wave:
                later.append((i, move))
            else:
                wave[move.attempt] = (i, move)
        _write_wave(list(wave.values()), result)
        waiting = later
    return result


def _write_wave(wave: Sequence[tuple[int, Move]], result: BatchResult) -> None:
    """Write moves of different attempts: phases in one statement, then the jobs of ends."""
    moved = fetch("move_attempts", [json.dumps([_attempt_row(m) for _, m in wave])])
    answers = {row[0]: row[1:] for row in moved}
    ended: list[Ended] = []
    told: list[Happening] = []
    for i, move in wave:
        held, was, rev, project, gap = answers[move.attempt]
        if was is None:
            result.written[i] = Written.STALE if held else Written.FENCED
            continue
        result.written[i] = Written.DONE
        notes = [*move.notes, *([log_gap(gap)] if gap is not None else [])]
        if move.to is Phase.ENDED:
            assert move.ending is not None, "a move to `ended` brings its ending"
            ended.append(Ended(move.job, move.ending, move.started_at, notes))
        elif rev is None:
            raise AssertionError(f"job {move.job} is not scheduled, but its attempt runs")
        else:
            result.jobs.append(JobChange(move.job, rev, project))
            told += [telling(note, move.job, project) for note in notes]
    record(told, HOST)
    result.jobs.extend(end_jobs(ended, HOST))


def _attempt_row(move: Move) -> dict[str, Any]:
    ending = move.ending
    return {
        "id": move.attempt,
        "expect": sorted(move.sources()),
        "phase": move.to,
        "lease": move.fence.name,
        "term": move.fence.term,
        "handle": move.handle,
        "started_at": _iso(move.started_at),
        "finished_at": _iso(move.finished_at),
        "exit_code": ending.exit_code if ending else None,
        "outcome": ending.outcome if ending else None,
        "reason": ending.reason if ending else None,
        "detail": storable_values(ending.detail) if ending else None,
        "log_complete": move.log_complete,
        "log_note": storable(move.log_note, NOTE_CHARACTERS) if move.log_note else None,
        "fencing": move.fencing,
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
