"""Jobs, attempts and events at a glance, in templates."""

from __future__ import annotations

import json

from django import template
from django.utils import timezone

from jobs import glances, usual
from jobs.models import Attempt, Job
from jobs.reasons import reason_text
from projects.models import Event

register = template.Library()

_EVENT_SHAPES = {
    "job.submitted": "pending",
    "job.held": "held",
    "job.released": "pending",
    "job.reprioritised": "pending",
    "job.moved": "pending",
    "job.cancel_requested": "cancelled",
    "job.placed": "scheduled",
    "job.requeued": "pending",
    "job.retried": "warn",
    "job.started": "running",
    "job.completed": "completed",
    "job.failed": "failed",
    "job.cancelled": "cancelled",
    "attempt.not_seen": "warn",
    "attempt.log_gap": "warn",
}


@register.filter
def job_shape(job: Job) -> str:
    """The name of its state shape."""
    return glances.shape_of(job)


@register.filter
def job_tone(job: Job) -> str:
    """The wash behind its badge."""
    return glances.tone_of(job)


@register.filter
def job_short_reason(job: Job) -> str:
    """Why, in two or three words."""
    return glances.short_reason(job, timezone.now())


@register.filter
def ran_seconds(job: Job) -> float | None:
    """How long its last run took; None until it has ended, or where that is not known."""
    return usual.ran_seconds(job) if job.finished_at else None


@register.filter
def attempt_shape(attempt: Attempt) -> str:
    """The state shape of one try."""
    if attempt.outcome:
        return "cancelled" if attempt.outcome == "fenced" else attempt.outcome
    return "running" if attempt.phase in ("running", "finishing") else "scheduled"


@register.filter
def event_shape(event: Event) -> str:
    """The state shape beside an event."""
    return _EVENT_SHAPES.get(event.type, "scheduled")


@register.filter
def event_words(event: Event) -> str:
    """What happened, in a word or two: "Placed", "Attempt running"."""
    subject, _, verb = event.type.partition(".")
    words = verb.replace("_", " ")
    return (
        words.capitalize() if subject in ("job", "provider") else f"{subject} {words}".capitalize()
    )


@register.filter
def event_changes(event: Event) -> list[str]:
    """What an event changed, from and to: "priority 50 → 80"."""
    told = event.detail.get("changes") if isinstance(event.detail, dict) else None
    if not isinstance(told, dict):
        return []
    return [
        f"{name} {'any' if was is None else was} → {'any' if now is None else now}"
        for name, (was, now) in told.items()
    ]


@register.filter
def reason_of(subject: object) -> str:
    """The plain words of the reason of a job, an attempt or an event."""
    if isinstance(subject, Job):
        return reason_text(*subject.told) if subject.told[0] else ""
    code = getattr(subject, "reason", "")
    detail = getattr(subject, "reason_detail", None) or getattr(subject, "detail", None)
    return reason_text(code, detail) if code else ""


@register.filter
def pretty_json(value: object) -> str:
    """JSON to read."""
    return json.dumps(value, indent=2, ensure_ascii=False)
