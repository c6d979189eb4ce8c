"""Jobs that should have moved by now: waiting long, out of sight, not ending."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import Min
from django.utils import timezone

from jobs.models import Attempt, Job
from jobs.reasons import reason_text
from jobs.states import JobState, Phase
from orchestrator.doctor.finding import Finding, ok, warning
from projects.quantities import duration_text

LONG_WAIT = timedelta(minutes=15)
SLOW_TAKE_UP = timedelta(minutes=1)
SLOW_FINISH = timedelta(minutes=2)
SLOW_CANCEL = timedelta(minutes=2)


def look() -> Iterator[Finding]:
    """The queue's age and its reason, then what is stuck."""
    yield from _queue()
    stuck = [*_out_of_sight(), *_slow()]
    yield from stuck or [ok("jobs", "None is out of sight or stuck.")]


def _queue() -> Iterator[Finding]:
    waiting = Job.objects.filter(state=JobState.PENDING, held=False, not_before=None)
    first = waiting.select_related("queue_class").order_by("queued_at").first()
    if first is None:
        yield ok("queue", "Nobody waits.")
        return
    age = _age(first.queued_at)
    words = f"The oldest of {waiting.count()} has waited {age}"
    if timezone.now() - first.queued_at < LONG_WAIT:
        yield ok("queue", f"{words}.")
        return
    why = reason_text(*first.told)
    yield warning("queue", f"{words}. Job {first.pk}: {why}", "The reason says what is missing.")


def _out_of_sight() -> Iterator[Finding]:
    rows = (
        Attempt.objects.filter(ended_at=None, not_seen_since__isnull=False)
        .values_list("provider__name")
        .annotate(since=Min("not_seen_since"))
        .order_by("provider__name")
    )
    for name, since in rows:
        yield warning(
            "jobs",
            f"Jobs on {name} have been out of sight for {_age(since)}; they may still run.",
            "They go on when the engine answers. If it never will, force-finish them: their "
            "page, the admin, or POST /api/v1/jobs/{id}/force-finish.",
        )


def _slow() -> Iterator[Finding]:
    live = Attempt.objects.filter(ended_at=None, not_seen_since=None)
    now = timezone.now()
    for what, rows, advice in (
        (
            "placed, and no engine process has taken it up",
            live.filter(phase=Phase.PLACED, placed_at__lt=now - SLOW_TAKE_UP),
            "See leases: who drives its provider?",
        ),
        (
            "finishing, its log not drained",
            live.filter(phase=Phase.FINISHING, finishing_at__lt=now - SLOW_FINISH),
            "It ends by itself within 30 s of an engine process's work: see leases and database.",
        ),
        (
            "to be cancelled, and still there",
            live.filter(job__cancel_requested_at__lt=now - SLOW_CANCEL),
            "Its program gets 10 s to end before it is killed. See its engine's own log.",
        ),
    ):
        ids = list(rows.order_by("pk").values_list("job_id", flat=True)[:6])
        if ids:
            jobs = ", ".join(str(pk) for pk in ids[:5]) + (" and more" if len(ids) > 5 else "")
            yield warning("jobs", f"For too long {what}: job {jobs}.", advice)


def _age(since: datetime) -> str:
    return duration_text(int((timezone.now() - since).total_seconds()))
