"""Finding what of the jobs wants a person's attention. A constant number of queries, each of
bounded work however many jobs there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
from jobs.whose import JobsQuery, Whose
from projects.actor import Actor
from projects.models import Project
from projects.prepared import CompiledQuery, PreparedQuery
from projects.selectors import share_ids

MOST_FAILED = 200
MOST_NAMES = 50
MOST_RUNNING = 100
MOST_WAITING = 200
MOST_SHOWN = 6
MOST_PROJECTS = 200
_LEAST_RUNNING = timedelta(minutes=2)


def _limited(projects: QuerySet[Project]) -> QuerySet[Project]:
    """Those that are paused or have a limit."""
    limits = ("max_running", "max_cpu_millis", "max_memory_mb", "max_gpus", "max_queued")
    wanted = Q(paused_at__isnull=False)
    for limit in limits:
        wanted |= Q(**{f"{limit}__isnull": False})
    return projects.filter(wanted)[:MOST_PROJECTS]


_LIMITED = CompiledQuery(lambda: _limited(Project.objects.all()))
_LIMITED_AMONG = CompiledQuery(lambda ids: _limited(Project.objects.filter(pk__any=ids)))
_RERUNS = PreparedQuery(lambda jobs: Job.objects.only("rerun_of").filter(rerun_of__any=jobs))
_Columns = tuple[int, int, str, datetime, str]
_FAILED = JobsQuery[_Columns](
    lambda jobs, after: (
        jobs.filter(state=JobState.FAILED, finished_at__gt=after)
        .order_by("-finished_at")
        .values_list("pk", "project_id", "name", "finished_at", "reason")[:MOST_FAILED]
    )
)
_RUNNING = JobsQuery[_Columns](
    lambda jobs, before: (
        jobs.filter(cancel_requested_at__isnull=True, state=JobState.RUNNING, started_at__lt=before)
        .order_by("pk")
        .values_list("pk", "project_id", "name", "started_at", "reason")[:MOST_RUNNING]
    )
)
_WAITING = JobsQuery[_Columns](
    lambda jobs, after, before: (
        jobs.filter(
            cancel_requested_at__isnull=True,
            state=JobState.PENDING,
            held=False,
            not_before__isnull=True,
            queue_class__in=QueueClass.objects.filter(reason__in=troubles.HOPELESS),
        )
        .annotate(told_since=Greatest("queued_at", "queue_class__since"))
        .filter(told_since__range=(after, before))
        # class by class, as they stand in the index, however long the queue is
        .order_by("queue_class_id", "queued_at", "pk")
        .values_list("pk", "project_id", "name", "told_since", "queue_class__reason")[:MOST_WAITING]
    )
)
_LAST_OUTPUT = PreparedQuery(
    lambda jobs: LogChunk.objects.filter(
        attempt__job__any=jobs,
        attempt__number=F("attempt__job__attempt"),
        seq=F("attempt__log_seq"),
    ).values_list("attempt__job_id", "last_at")
)
_WHOLE = PreparedQuery(
    lambda ids: (
        Job.objects.select_related("project", "provider", "queue_class")
        .defer("secrets", "idempotency_digest")
        .filter(pk__any=ids)
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
    rows = _rows(_FAILED.fetch(actor, whose, marks.failed_after))
    again = _RERUNS.fetch([row.id for row in rows])
    rerun = {job.rerun_of_id for job in again if job.rerun_of_id is not None}
    running = _rows(_RUNNING.fetch(actor, whose, now - _LEAST_RUNNING))
    patient = now - troubles.PATIENCE
    waiting = _rows(_WAITING.fetch(actor, whose, marks.until - troubles.PATIENCE, patient))
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
    ids = share_ids(actor)
    found = _LIMITED.fetch() if ids is None else _LIMITED_AMONG.fetch(ids)
    return project_troubles(found, project_use(found), marks) if found else []


def _rows(found: Iterable[_Columns]) -> list[Row]:
    return [Row(pk, (project, name), at, reason) for pk, project, name, at, reason in found]


def _told(entries: Sequence[Entry], runs: Mapping[Name, Record]) -> list[Trouble]:
    """The entries in words, each with its job as a whole: what to do is told by its spec."""
    whole = {job.pk: job for job in _WHOLE.fetch([one.id for one in entries])}
    overlong = [one.id for one in entries if one.kind == "overlong"]
    at = dict(_LAST_OUTPUT.fetch(overlong)) if overlong else {}
    return [
        replace(
            troubles.told(one, whole[one.id], runs.get(one.name, NO_RECORD)),
            last_output=at.get(one.id),
        )
        for one in entries
        if one.id in whole
    ]
