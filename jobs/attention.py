"""Finding what of the jobs wants a person's attention. A constant number of queries, each of
bounded work however many jobs there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db.models import F, Q, QuerySet
from django.db.models.functions import Greatest

from jobs import troubles
from jobs.last_runs import Name
from jobs.models import Job, LogChunk
from jobs.project_troubles import ProjectTrouble, project_troubles
from jobs.project_use import project_use
from jobs.queue_models import QueueClass
from jobs.records import NO_RECORD, Record, records
from jobs.seen import Marks
from jobs.states import JobState
from jobs.troubles import Entry, Row, Trouble
from jobs.whose import Whose
from projects.actor import Actor
from projects.prepared import Place, PreparedQuery
from projects.selectors import shares_of

MOST_FAILED = 200
MOST_NAMES = 50
MOST_RUNNING = 100
MOST_WAITING = 200
MOST_SHOWN = 6
MOST_PROJECTS = 200
_LEAST_RUNNING = timedelta(minutes=2)
_RERUNS = PreparedQuery(lambda: Job.objects.only("rerun_of").filter(rerun_of__any=Place(0)))
_WHOLE = PreparedQuery(
    lambda: (
        Job.objects.select_related("project", "provider", "queue_class")
        .defer("secrets", "idempotency_digest")
        .filter(pk__any=Place(0))
    )
)


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


def attention(actor: Actor, whose: Whose, marks: Marks, now: datetime) -> Attention:
    """What wants the attention of a person with these marks, the most urgent first."""
    jobs = whose.jobs(actor)
    failed = jobs.filter(state=JobState.FAILED, finished_at__gt=marks.failed_after)
    rows = _rows(failed.order_by("-finished_at"), "finished_at", MOST_FAILED)
    again = _RERUNS.fetch([row.id for row in rows])
    rerun = {job.rerun_of_id for job in again if job.rerun_of_id is not None}
    live = jobs.filter(cancel_requested_at__isnull=True).order_by("pk")
    running = _rows(
        live.filter(state=JobState.RUNNING, started_at__lt=now - _LEAST_RUNNING),
        "started_at",
        MOST_RUNNING,
    )
    waiting = _rows(
        # class by class, as they stand in the index, however long the queue is
        live.order_by("queue_class_id", "queued_at", "pk")
        .filter(
            state=JobState.PENDING,
            held=False,
            not_before__isnull=True,
            queue_class__in=QueueClass.objects.filter(reason__in=troubles.HOPELESS),
        )
        .annotate(told_since=Greatest("queued_at", "queue_class__since"))
        .filter(told_since__range=(marks.until - troubles.PATIENCE, now - troubles.PATIENCE)),
        "told_since",
        MOST_WAITING,
        "queue_class__reason",
    )
    names = list(dict.fromkeys(row.name for row in rows))[:MOST_NAMES]
    runs = records([*names, *(row.name for row in running)])
    found = troubles.in_order(
        [
            *troubles.failures(rows, rerun, marks, runs),
            *troubles.overlong(running, runs, marks, now),
            *troubles.waits(waiting, marks, now),
        ]
    )
    return Attention(
        shown=tuple(_told(found[:MOST_SHOWN], runs)),
        count=len(found),
        pressing=sum(not one.late for one in found),
        more_than=len(rows) == MOST_FAILED and len(found) > MOST_SHOWN,
    )


def projects_in_trouble(actor: Actor, marks: Marks) -> list[ProjectTrouble]:
    """The projects whose pause or limits want attention, among those whose share the person may
    see; at most four queries."""
    limits = ("max_running", "max_cpu_millis", "max_memory_mb", "max_gpus", "max_queued")
    wanted = Q(paused_at__isnull=False)
    for limit in limits:
        wanted |= Q(**{f"{limit}__isnull": False})
    found = list(shares_of(actor).filter(wanted)[:MOST_PROJECTS])
    return project_troubles(found, project_use(found), marks) if found else []


def _rows(found: QuerySet[Job], stamp: str, most: int, why: str = "reason") -> list[Row]:
    """The first of them, with the time and the reason that stand in these columns."""
    listed = found.values_list("pk", "project_id", "name", stamp, why)[:most]
    return [Row(pk, (project, name), at, reason) for pk, project, name, at, reason in listed]


def _told(entries: Sequence[Entry], runs: Mapping[Name, Record]) -> list[Trouble]:
    """The entries in words, each with its job as a whole: what to do is told by its spec."""
    whole = {job.pk: job for job in _WHOLE.fetch([one.id for one in entries])}
    last = LogChunk.objects.filter(
        attempt__job__in=[one.id for one in entries if one.kind == "overlong"],
        attempt__number=F("attempt__job__attempt"),
        seq=F("attempt__log_seq"),
    )
    at = dict(last.values_list("attempt__job_id", "last_at"))
    return [
        replace(
            troubles.told(one, whole[one.id], runs.get(one.name, NO_RECORD)),
            last_output=at.get(one.id),
        )
        for one in entries
        if one.id in whole
    ]
