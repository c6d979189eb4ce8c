"""The list of jobs as a file: what the API's list has of each job."""

from __future__ import annotations

from typing import Any

from jobs.filters import JobFilter
from jobs.presenters import job_values
from jobs.selectors import job_page
from jobs.sorts import Sort
from projects.actor import Actor
from projects.export import AT_ONCE, Look

COLUMNS = (
    "id", "name", "state", "reason", "reason_text", "exit_code", "project", "provider", "attempt",
    "image", "labels", "priority", "held", "created_at", "queued_at", "not_before", "started_at",
    "finished_at", "run_seconds", "cancel_requested_at", "cancel_requested_by", "submitted_by",
    "rerun_of",
)  # fmt: skip


def jobs_look(actor: Actor, wanted: JobFilter, sort: Sort) -> Look:
    """Reads the jobs of a filter in that order, those that there were when it began."""
    newest: int | None = None

    def look(cursor: str | None) -> tuple[list[dict[str, Any]], str | None]:
        nonlocal newest
        page = job_page(actor, wanted, sort=sort, limit=AT_ONCE, cursor=cursor, newest=newest)
        newest = newest or page.newest
        return [job_values(job) for job in page.items], page.next_cursor

    return look
