"""A job at a glance: its shape, its word, and the two or three words that follow it.

For lists, badges and tab titles; the whole sentence is `reasons.reason_text`.
"""

from __future__ import annotations

from datetime import datetime

from jobs.models import Job
from jobs.states import JobState
from projects.quantities import age_text

_SHORT = {
    "queued": "",
    "placed": "",
    "succeeded": "",
    "no_capacity": "no room",
    "no_match": "no provider fits",
    "no_provider": "no provider",
    "too_large": "too large",
    "provider_down": "provider not reachable",
    "disk_low": "disk full",
    "kept_free": "room is kept free",
    "apart": "kept apart",
    "paused": "queue paused",
    "project_limit": "project at its limit",
    "above_project_limit": "above its project's limit",
    "key_limit": "key at its limit",
    "kept_limit": "limit is kept",
    "oom_killed": "out of memory",
    "timeout": "timed out",
    "queue_timeout": "waited too long",
    "image_not_found": "image not found",
    "image_denied": "image denied",
    "registry_unreachable": "image not fetched",
    "could_not_start": "could not start",
    "removed_outside": "container removed",
    "provider_lost": "provider lost",
    "engine_stopped": "engine stopped",
    "restarted_outside": "container restarted",
    "spec_unreadable": "spec unreadable",
    "secrets_unreadable": "secrets unreadable",
    "engine_failed": "engine failed",
    "gantry_failed": "Gantry failed",
}


def shape_of(job: Job) -> str:
    """The name of its state shape: the state, or held, or warn while a retry is due."""
    if job.state == JobState.PENDING:
        if job.held:
            return "held"
        if job.reason == "backoff":
            return "warn"
    return job.state


def tone_of(job: Job) -> str:
    """The wash behind its badge: running, failed, completed, warn or none."""
    shape = shape_of(job)
    return shape if shape in {"running", "failed", "completed", "warn"} else "neutral"


def short_reason(job: Job, now: datetime) -> str:
    """Why, in two or three words; empty where the state says it all."""
    if job.cancel_requested_at is not None and job.finished_at is None:
        return "cancelling"
    if job.reason == "backoff" and job.not_before is not None:
        seconds = (job.not_before - now).total_seconds()
        return f"retry in {age_text(seconds)}" if seconds > 0 else "retry due"
    reason, detail = job.told
    if reason == "exit_code":
        return f"exit code {job.exit_code}"
    if reason == "signalled":
        return f"signal {str(detail.get('signal', '')).partition(' ')[0]}".strip()
    if reason == "cancelled":
        return f"by {job.cancel_requested_by}" if job.cancel_requested_by else ""
    if job.state == JobState.COMPLETED:
        return f"on attempt {job.attempt}" if job.attempt > 1 else ""
    if job.state == JobState.RUNNING:
        return ""
    return _SHORT.get(reason, reason.replace("_", " "))


def trigger_text(job: Job) -> str:
    """Who submitted it, through what, and whether it repeats another one."""
    who = job.submitted_by.get_username() if job.submitted_by else "somebody who is gone"
    way = {"web": ", on a page", "api": ", through the API"}.get(job.submitted_via, "")
    return f"By {who}{way}" + (f"; repeats job {job.rerun_of_id}" if job.rerun_of_id else "")
