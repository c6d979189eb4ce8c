"""Jobs follow attempts that ended, with the events that tell it and what recovery noted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jobs.endings import Ending
from jobs.following import Sequel, sequel
from jobs.models import Job
from jobs.notes import Note
from jobs.sql import fetch
from jobs.states import JobState, Who
from projects.actor import Actor
from projects.events import Happening, record
from projects.notify import JobChange
from projects.prepared import PreparedQuery
from projects.storable import storable_values

_LOCKED = PreparedQuery(
    lambda ids: Job.objects.filter(pk__any=ids)
    .order_by("pk")
    .select_for_update(no_key=True)
    .only(
        "id", "state", "attempt", "charged", "cancel_requested_at", "cancel_requested_by",
        "project_id", "spec",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt that ended just now, in this transaction. `ran_now`: its start was told with its
    end, so that its job still is scheduled here."""

    job: int
    ending: Ending
    notes: Sequence[Note] = ()
    ran_now: bool = False


def telling(note: Note, job: int, project: int) -> Happening:
    """The event on a job that tells a note."""
    detail = storable_values(note.detail)
    return Happening("job", job, note.event, project, reason=note.code, detail=detail)


def end_jobs(ended: Sequence[Ended], actor: Actor, who: Who = Who.HOST) -> list[JobChange]:
    """Let jobs follow: done, or back to the queue for another try."""
    if not ended:
        return []
    locked = {job.pk: job for job in _LOCKED.fetch([end.job for end in ended])}
    rows, happenings = [], []
    for end in ended:
        job = locked[end.job]
        if end.ran_now:
            assert job.state == JobState.SCHEDULED, f"job {job.pk} is not scheduled, but has run"
            job.state = JobState.RUNNING
        after = sequel(end.ending, job, who)
        row = _row(end, after)
        rows.append(row)
        happenings += [telling(note, job.pk, job.project_id) for note in end.notes]
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
    changes = [JobChange(*row) for row in fetch("move_jobs", [json.dumps(rows)])]
    record(happenings, actor)
    return changes


def _row(end: Ended, after: Sequel) -> dict[str, Any]:
    return {
        "id": end.job,
        "state": after.state,
        "reason": after.reason,
        "detail": after.detail,
        "charge": int(after.charged),
        "exit_code": end.ending.exit_code,
        "ran_now": end.ran_now,
        "ends": after.state is not JobState.PENDING,
        "delay": after.delay_seconds,
    }
