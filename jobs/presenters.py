"""Jobs, attempts and events as plain values: what the API sends and pages may show."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from jobs.asks import pin_of
from jobs.models import Attempt, Job
from jobs.reasons import reason_text
from jobs.spec import in_order
from jobs.stat_pages import Reading
from projects.models import Event


def job_values(job: Job) -> dict[str, Any]:
    """A job as lists show it. `project`, `provider` and `queue_class` must have been selected
    with it."""
    reason, detail = job.told
    return {
        "id": job.pk,
        "name": job.name,
        "state": job.state,
        "reason": reason,
        "reason_text": reason_text(reason, detail),
        "exit_code": job.exit_code,
        "project": job.project.slug,
        "provider": job.provider.name if job.provider else None,
        "provider_id": job.provider_id,
        "attempt": job.attempt,
        "image": job.image,
        "labels": job.labels,
        "priority": job.priority,
        "held": job.held,
        "created_at": job.created_at,
        "queued_at": job.queued_at,
        "not_before": job.not_before,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "run_seconds": job.run_seconds,
        "cancel_requested_at": job.cancel_requested_at,
        "cancel_requested_by": job.cancel_requested_by or None,
        "submitted_by": job.submitted_by.get_username() if job.submitted_by else None,
        "rerun_of": job.rerun_of_id,
        "rev": job.rev,
        "told_rev": told_rev(job),
    }


def told_rev(job: Job) -> str:
    """Changes with whatever is told of a job: while it is in line, also with its class."""
    kind = job.queue_class if job.in_line else None
    return f"{job.rev}" if kind is None else f"{job.rev}-{kind.pk}-{kind.rev}"


def job_detail_values(job: Job) -> dict[str, Any]:
    """A job with its spec; secrets by name only. `queue_class` must have been selected too."""
    return job_values(job) | {"pinned_to": pin_of(job) or None, "spec": in_order(job.spec)}


def attempt_values(attempt: Attempt) -> dict[str, Any]:
    """One try. `provider` must have been selected with it."""
    return {
        "number": attempt.number,
        "phase": attempt.phase,
        "outcome": attempt.outcome or None,
        "reason": attempt.reason or None,
        "reason_text": (
            reason_text(attempt.reason, attempt.reason_detail) if attempt.reason else None
        ),
        "exit_code": attempt.exit_code,
        "provider": attempt.provider.name,
        "provider_id": attempt.provider_id,
        "progress": attempt.progress,
        "phases": phase_times(attempt),
        "started_at": attempt.started_at,
        "finished_at": attempt.finished_at,
        "run_seconds": run_seconds(attempt.started_at, attempt.finished_at),
        "not_seen_since": attempt.not_seen_since,
        "removed_at": attempt.removed_at,
        "removal_error": None if attempt.removed_at else attempt.removal_error or None,
        "use": use_values(attempt),
        "log": {
            "seq": attempt.log_seq,
            "lines": attempt.log_lines,
            "stdout_bytes": attempt.log_stdout_bytes,
            "stderr_bytes": attempt.log_stderr_bytes,
            "complete": attempt.log_complete,
            "note": attempt.log_note or None,
        },
    }


def phase_times(attempt: Attempt) -> dict[str, datetime | None]:
    """When each phase began, by the database's clock; None where it was not reached."""
    return {
        "placed": attempt.placed_at,
        "pulling": attempt.pulling_at,
        "creating": attempt.creating_at,
        "starting": attempt.starting_at,
        "running": attempt.running_at,
        "finishing": attempt.finishing_at,
        "ended": attempt.ended_at,
    }


def use_values(attempt: Attempt) -> dict[str, Any]:
    """What it used at most; None where nothing was measured."""
    cpu = attempt.cpu_peak_millis
    return {
        "cpu_cores_peak": None if cpu is None else cpu / 1000,
        "memory_bytes_peak": attempt.memory_peak_bytes,
        "memory_peak_at": attempt.memory_peak_at,
    }


def stats_values(attempt: Attempt, readings: Sequence[Reading]) -> dict[str, Any]:
    """What one try used over its time, and what it may use."""
    return {
        "attempt": attempt.number,
        "limits": {
            "cpu_cores": attempt.cpu_millis / 1000,
            "memory_bytes": attempt.memory_mb * 2**20,
        },
        "use": use_values(attempt),
        "items": [
            {"at": r.at, "cpu_cores": r.cpu_millis / 1000, "memory_bytes": r.memory_bytes}
            for r in readings
        ],
        "next_cursor": None,
    }


NO_STATS: dict[str, Any] = {
    "attempt": None,
    "limits": None,
    "use": None,
    "items": [],
    "next_cursor": None,
}
"""What is told of a job that was not tried yet."""


def event_values(event: Event) -> dict[str, Any]:
    """One event."""
    return {
        "id": event.pk,
        "at": event.at,
        "type": event.type,
        "from": event.source or None,
        "to": event.target or None,
        "reason": event.reason or None,
        "reason_text": reason_text(event.reason, event.detail) if event.reason else None,
        "detail": event.detail,
        "actor_kind": event.actor_kind,
        "actor": event.actor_name or None,
        "via": event.via or None,
        "request_id": event.request_id or None,
    }


def run_seconds(started_at: datetime | None, finished_at: datetime | None) -> float | None:
    """How long the program ran by its engine's clock; None while that is not known."""
    if started_at is None or finished_at is None:
        return None
    return max(0.0, (finished_at - started_at).total_seconds())
