"""Attempts take their next phase and their jobs follow: the engine's writes, in batches."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.db import connection

from jobs.endings import Ending
from jobs.following import Sequel, sequel
from jobs.models import Job
from jobs.sql import statement
from jobs.states import JobState, Phase, phases_before
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
    """One attempt's next phase, with the facts that come with it.

    `expect` narrows the phases it may come from; None means every phase the table allows.
    """

    attempt: int
    job: int
    fence: Fence
    to: Phase
    expect: frozenset[Phase] | None = None
    handle: Mapping[str, Any] | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    ending: Ending | None = None
    log_complete: bool | None = None
    log_note: str | None = None

    def sources(self) -> frozenset[Phase]:
        """The phases this move may come from."""
        allowed = phases_before(self.to)
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
    with connection.cursor() as cursor:
        cursor.execute(statement("move_attempts"), [json.dumps([_attempt_row(m) for _, m in wave])])
        answers = {row[0]: row[1:] for row in cursor.fetchall()}
    ended: list[Move] = []
    for i, move in wave:
        held, was, rev, project = answers[move.attempt]
        if was is None:
            result.written[i] = Written.STALE if held else Written.FENCED
            continue
        result.written[i] = Written.DONE
        if move.to is Phase.ENDED:
            ended.append(move)
        elif rev is None:
            raise AssertionError(f"job {move.job} is not scheduled, but its attempt runs")
        else:
            result.jobs.append(JobChange(move.job, rev, project))
    result.jobs.extend(_end_jobs(ended))


def _end_jobs(moves: Sequence[Move]) -> list[JobChange]:
    """Let jobs follow attempts that ended: done, or back to the queue for another try."""
    if not moves:
        return []
    locked = {
        job.pk: job
        for job in Job.objects.filter(pk__in=[m.job for m in moves])
        .order_by("pk")
        .select_for_update(no_key=True)
        .only(
            "id",
            "state",
            "attempt",
            "charged",
            "cancel_requested_at",
            "cancel_requested_by",
            "project_id",
            "spec",
        )
    }
    rows, happenings = [], []
    for move in moves:
        job = locked[move.job]
        assert move.ending is not None, "a move to `ended` brings its ending"
        after = sequel(move.ending, job)
        row = _job_row(move, after)
        rows.append(row)
        happenings.append(
            Happening(
                "job",
                job.pk,
                after.edge.event,
                job.project_id,
                job.state,
                row["state"],
                row["reason"],
                row["detail"],
            )
        )
    with connection.cursor() as cursor:
        cursor.execute(statement("move_jobs"), [json.dumps(rows)])
        changes = [JobChange(*row) for row in cursor.fetchall()]
    record(happenings, HOST)
    return changes


def _job_row(move: Move, after: Sequel) -> dict[str, Any]:
    return {
        "id": move.job,
        "state": after.state,
        "reason": after.reason,
        "detail": after.detail,
        "charge": int(after.charged),
        "exit_code": move.ending.exit_code if move.ending else None,
        "started_at": _iso(move.started_at),
        "ends": after.state is not JobState.PENDING,
        "delay": after.delay_seconds,
    }


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
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
