"""Finding what of the jobs wants a person's attention. A constant number of queries, each of
bounded work however many jobs there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db.models import F, QuerySet

from jobs import troubles
from jobs.last_runs import NONE, LastRuns, Name, last_runs, name_of
from jobs.models import Job, LogChunk
from jobs.seen import marks_of
from jobs.states import JobState
from jobs.troubles import Failed, Failures, Trouble
from jobs.whose import Whose
from projects.actor import Actor

MOST_FAILED = 200
MOST_NAMES = 50
MOST_RUNNING = 100
MOST_WAITING = 200
MOST_SHOWN = 6
_LEAST_RUNNING = timedelta(minutes=2)
_LARGE = ("secrets", "idempotency_digest")


@dataclass(frozen=True, slots=True)
class Attention:
    """The entries that are shown, how many there are in all (`more_than`: at least), and how
    many of these cannot wait."""

    shown: tuple[Trouble, ...]
    count: int
    pressing: int
    more_than: bool = False

    @property
    def hidden(self) -> int:
        """How many are not shown."""
        return self.count - len(self.shown)


def attention(actor: Actor, whose: Whose, now: datetime) -> Attention:
    """What wants this person's attention, the most urgent first."""
    marks = marks_of(actor, now)
    jobs = whose.jobs(actor)
    rows = [
        Failed(pk, (project, name), at)
        for pk, project, name, at in jobs.filter(state=JobState.FAILED, finished_at__gt=marks.until)
        .order_by("-finished_at")
        .values_list("pk", "project_id", "name", "finished_at")[:MOST_FAILED]
        if at is not None
    ]
    again = Job.objects.filter(rerun_of__in=[row.id for row in rows])
    rerun = {pk for pk in again.values_list("rerun_of", flat=True) if pk is not None}
    running = _some(
        jobs.filter(
            state=JobState.RUNNING,
            started_at__lt=now - _LEAST_RUNNING,
            cancel_requested_at__isnull=True,
        ),
        MOST_RUNNING,
    )
    waiting = _some(
        jobs.filter(
            state=JobState.PENDING,
            held=False,
            cancel_requested_at__isnull=True,
            reason__in=troubles.HOPELESS,
            queued_at__lt=now - troubles.PATIENCE,
        ),
        MOST_WAITING,
    )
    failed_names = list(dict.fromkeys(row.name for row in rows))[:MOST_NAMES]
    runs = last_runs([*failed_names, *map(name_of, running)])
    failed = sorted(
        troubles.failures(rows, rerun, marks, runs),
        key=lambda one: (one.mended_at is not None, -one.latest.at.timestamp()),
    )
    others = [*troubles.overlong(running, runs, marks, now), *troubles.waits(waiting, marks)]
    shown = troubles.in_order([*_entries(failed[:MOST_SHOWN], runs), *others])[:MOST_SHOWN]
    full = len(rows) == MOST_FAILED and len(failed) > MOST_SHOWN
    pressing = len(others) + sum(one.mended_at is None for one in failed)
    return Attention(
        tuple(_with_output(shown)), len(failed) + len(others), pressing, more_than=full
    )


def _some(found: QuerySet[Job], most: int) -> list[Job]:
    """The oldest of them, without what is large."""
    light = found.select_related("project", "provider").defer("spec", *_LARGE)
    return list(light.order_by("pk")[:most])


def _entries(failed: Sequence[Failures], runs: Mapping[Name, LastRuns]) -> list[Trouble]:
    """The entries of failures, each with its job as a whole: what to do is told by its spec."""
    jobs = Job.objects.select_related("project", "provider").defer(*_LARGE)
    whole = jobs.in_bulk([one.latest.id for one in failed])
    return [
        troubles.failed(one, whole[one.latest.id], runs.get(one.latest.name, NONE))
        for one in failed
        if one.latest.id in whole
    ]


def _with_output(shown: Sequence[Trouble]) -> list[Trouble]:
    """Of what runs too long: when it last printed something."""
    ids = [one.job.pk for one in shown if one.kind == "overlong"]
    if not ids:
        return list(shown)
    last = LogChunk.objects.filter(
        attempt__job__in=ids,
        attempt__number=F("attempt__job__attempt"),
        seq=F("attempt__log_seq"),
    )
    at = dict(last.values_list("attempt__job_id", "last_at"))
    return [replace(one, last_output=at.get(one.job.pk)) for one in shown]
