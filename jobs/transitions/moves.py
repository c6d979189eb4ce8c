"""Attempts take their next phase and their jobs follow: the engine's writes, in batches."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.db import connection

from jobs.endings import Ending, RetryPolicy, Step, next_step
from jobs.models import Job
from jobs.reasons import reason_text
from jobs.sql import statement
from jobs.states import JobState, Phase, Who, job_edge, phases_before
from projects.actor import Actor
from projects.events import Happening, record
from projects.models import ActorKind
from projects.notify import JobChange
from providers.leases import Fence, fenced

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
    held = fenced({move.fence for move in moves})
    result = BatchResult([Written.FENCED] * len(moves))
    waiting = [(i, move) for i, move in enumerate(moves) if move.fence in held]
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
    with connection.cursor() as cursor:
        cursor.execute(statement("move_attempts"), [json.dumps([_attempt_row(m) for _, m in wave])])
        before = {int(row[0]): str(row[1]) for row in cursor.fetchall()}
    done: list[Move] = []
    for i, move in wave:
        if move.attempt in before:
            result.written[i] = Written.DONE
            done.append(move)
        else:
            result.written[i] = Written.STALE
    happenings = [
        Happening(
            "job",
            m.job,
            f"attempt.{m.to}",
            source=before[m.attempt],
            target=m.to,
            reason=m.ending.reason if m.ending else "",
            detail=dict(m.ending.detail) if m.ending else {},
        )
        for m in done
    ]
    changes = _move_jobs([m for m in done if m.to in _JOB_MOVING], happenings)
    result.jobs.extend(changes)
    result.jobs.extend(_touch_jobs([m.job for m in done if m.to not in _JOB_MOVING]))
    projects = {change.id: change.project_id for change in result.jobs}
    record([_with_project(h, projects) for h in happenings], HOST)


_JOB_MOVING = frozenset({Phase.RUNNING, Phase.ENDED})


def _with_project(h: Happening, projects: Mapping[int, int]) -> Happening:
    return Happening(
        h.kind, h.id, h.type, projects.get(h.id), h.source, h.target, h.reason, h.detail
    )


def _move_jobs(moves: Sequence[Move], happenings: list[Happening]) -> list[JobChange]:
    """Let jobs follow attempts that began to run or ended."""
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
            "spec",
        )
    }
    rows = []
    for move in moves:
        job = locked[move.job]
        row = _job_row(move, job)
        edge = job_edge(JobState(job.state), JobState(row["state"]))
        if edge is None or Who.HOST not in edge.who:
            raise AssertionError(f"job {job.pk}: no edge {job.state} → {row['state']} for a host")
        happenings.append(
            Happening(
                "job",
                job.pk,
                edge.event,
                source=job.state,
                target=row["state"],
                reason=row["reason"],
                detail=row["detail"],
            )
        )
        rows.append(row)
    with connection.cursor() as cursor:
        cursor.execute(statement("move_jobs"), [json.dumps(rows, default=str)])
        return [JobChange(*row) for row in cursor.fetchall()]


def _touch_jobs(jobs: Sequence[int]) -> list[JobChange]:
    """A new revision for jobs of which only the attempt's phase changed."""
    if not jobs:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE jobs_job SET rev = rev + 1 WHERE id = ANY(%s) RETURNING id, rev, project_id",
            [sorted(jobs)],
        )
        return [JobChange(*row) for row in cursor.fetchall()]


def _job_row(move: Move, job: Job) -> dict[str, Any]:
    if move.ending is None:
        row: dict[str, Any] = {"state": JobState.RUNNING, "reason": "", "detail": {}, "charge": 0}
        return row | {
            "id": job.pk,
            "started_at": _iso(move.started_at),
            "ends": False,
            "delay": 0,
        }
    ending = move.ending
    step = next_step(
        ending,
        retry_policy(job.spec),
        attempt=job.attempt,
        charged=job.charged,
        cancel_wanted=job.cancel_requested_at is not None,
    )
    return {
        "id": job.pk,
        "state": step.state,
        "charge": int(step.charged),
        "exit_code": ending.exit_code,
        "started_at": _iso(move.started_at),
        "ends": step.state is not JobState.PENDING,
        "delay": step.delay_seconds,
    } | _job_reason(ending, step, job)


def _job_reason(ending: Ending, step: Step, job: Job) -> dict[str, Any]:
    if step.state is JobState.PENDING:
        last = reason_text(ending.reason, ending.detail)
        if step.delay_seconds:
            detail = {"last": last, "next": job.attempt + 1, "delay": f"{step.delay_seconds:g} s"}
            return {"reason": "backoff", "detail": detail}
        return {"reason": "requeued", "detail": {"why": last}}
    if step.state is JobState.CANCELLED and ending.reason != "cancelled":
        return {"reason": "cancelled", "detail": {"by": job.cancel_requested_by or "someone"}}
    return {"reason": ending.reason, "detail": dict(ending.detail)}


def _attempt_row(move: Move) -> dict[str, Any]:
    ending = move.ending
    return {
        "id": move.attempt,
        "expect": sorted(move.sources()),
        "phase": move.to,
        "term": move.fence.term,
        "handle": move.handle,
        "started_at": _iso(move.started_at),
        "finished_at": _iso(move.finished_at),
        "exit_code": ending.exit_code if ending else None,
        "outcome": ending.outcome if ending else None,
        "reason": ending.reason if ending else None,
        "detail": dict(ending.detail) if ending else None,
        "log_complete": move.log_complete,
        "log_note": move.log_note,
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def retry_policy(spec: Mapping[str, Any]) -> RetryPolicy:
    """The retry policy of a stored spec."""
    retry = spec.get("retry") or {}
    return RetryPolicy(
        max_attempts=int(retry.get("max_attempts", 1)),
        backoff_seconds=float(retry.get("backoff_seconds", 10)),
        on=frozenset(retry.get("on") or ()),
    )
