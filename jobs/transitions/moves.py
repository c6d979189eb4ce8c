"""Attempts take their next phase and their jobs follow: the engine's writes, in batches."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from jobs.notes import log_gap
from jobs.sql import fetch
from jobs.states import Phase
from jobs.transitions.ends import Ended, end_jobs, telling
from jobs.transitions.strides import Move, Stride, Written, strides
from projects.actor import Actor
from projects.events import Happening, record
from projects.models import ActorKind
from projects.notify import JobChange

HOST = Actor(ActorKind.HOST, None, "engine", "engine", is_superuser=True)


@dataclass(slots=True)
class BatchResult:
    """What a batch did: an answer per move, and the jobs whose pages must be told."""

    written: list[Written]
    jobs: list[JobChange] = field(default_factory=list)


def apply(moves: Sequence[Move]) -> BatchResult:
    """Write a batch of moves inside the caller's transaction, in their order.

    Moves of one attempt that follow each other are written as one stride; one that was stale
    as a whole is written move by move. Answers stand in the order of the moves.
    """
    result = BatchResult([Written.FENCED] * len(moves))
    waiting = strides(moves)
    while waiting:
        wave = [line.popleft() for line in waiting]
        for line, stale in zip(waiting, _write_wave(wave, result), strict=True):
            if stale is not None and len(stale.moves) > 1:
                line.extendleft(reversed(stale.steps()))
        waiting = [line for line in waiting if line]
    return result


def _write_wave(wave: Sequence[Stride], result: BatchResult) -> list[Stride | None]:
    """Write strides of different attempts: phases in one statement, then the jobs of ends.
    Returns those that were stale, in their places."""
    moved = fetch("move_attempts", [json.dumps([stride.row() for stride in wave])])
    answers = {row[0]: row[1:] for row in moved}
    stale: list[Stride | None] = [None] * len(wave)
    ended: list[Ended] = []
    told: list[Happening] = []
    for nth, stride in enumerate(wave):
        move = stride.last
        held, was, rev, project, gap = answers[move.attempt]
        written = Written.DONE if was is not None else Written.STALE if held else Written.FENCED
        for place in stride.places:
            result.written[place] = written
        if written is not Written.DONE:
            stale[nth] = stride if written is Written.STALE else None
            continue
        notes = [*move.notes, *([log_gap(gap)] if gap is not None else [])]
        if move.to is Phase.ENDED:
            assert move.ending is not None, "a move to `ended` brings its ending"
            ended.append(Ended(move.job, move.ending, notes, stride.starts))
        elif rev is None:
            raise AssertionError(f"job {move.job} is not scheduled, but its attempt runs")
        else:
            result.jobs.append(JobChange(move.job, rev, project))
            told += [telling(note, move.job, project) for note in notes]
    record(told, HOST)
    result.jobs.extend(end_jobs(ended, HOST))
    return stale
