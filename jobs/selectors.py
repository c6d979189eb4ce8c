"""Reading jobs, as far as the actor may see them: members of the job's project.

Lists are keyset pages by id, newest first. Counts are exact for live states and to 1,000
for ended ones. No query here grows with the number of jobs that were ever run.
"""

from __future__ import annotations

from django.db.models import Count, QuerySet
from django.db.models.fields.json import KT

from jobs.filters import JobFilter
from jobs.models import Attempt, Job
from jobs.states import TERMINAL, JobState
from projects.actor import Actor
from projects.cursors import Page, make_cursor, read_cursor
from projects.errors import NotFound
from projects.models import Event
from projects.prepared import Place, PreparedQuery
from projects.selectors import subject_events

MOST_COUNTED = 1000
_MAX_ID = 2**63 - 1
_ONE_JOB = PreparedQuery(
    lambda: Job.objects.select_related("project", "provider", "submitted_by").filter(
        pk__any=Place(0)
    )
)


def jobs_of(actor: Actor) -> QuerySet[Job]:
    """The jobs that the actor may see."""
    ids = actor.project_ids()
    return Job.objects.all() if ids is None else Job.objects.filter(project__in=sorted(ids))


def job_get(actor: Actor, job_id: int) -> Job:
    """One job with its project, provider and submitter; one query.

    Raises NotFound when it is not there, and just so when the actor may not see it.
    """
    visible = actor.project_ids()
    for job in _ONE_JOB.fetch([job_id]) if 0 < job_id <= _MAX_ID else ():
        if visible is None or job.project_id in visible:
            return job
    raise NotFound(f"There is no job {job_id} that you can see.")


def job_page(
    actor: Actor,
    wanted: JobFilter,
    *,
    limit: int = 50,
    cursor: str | None = None,
    newest: int | None = None,
) -> Page[Job]:
    """A page of jobs, newest first, without the large columns; one query.

    Jobs submitted while somebody pages through appear on no later page and push nothing
    from one page to another. `newest` is the first job that may be on it. Of the spec each
    has `max_attempts`, as text. Raises BadRequest for a cursor of other filters.
    """
    found = jobs_of(actor).filter(wanted.condition())
    if cursor:
        found = found.filter(pk__lt=read_cursor(cursor, wanted.as_query()))
    if newest is not None:
        found = found.filter(pk__lte=newest)
    rows = list(
        found.order_by("-pk")
        .select_related("project", "provider", "submitted_by")
        .defer("spec", "secrets", "idempotency_digest")
        .annotate(max_attempts=KT("spec__retry__max_attempts"))[: limit + 1]
    )
    more = len(rows) > limit
    items = rows[:limit]
    return Page(items, make_cursor(items[-1].pk, wanted.as_query()) if more else None)


def jobs_after(actor: Actor, wanted: JobFilter, newest: int, *, most: int = 100) -> int:
    """How many matching jobs came after that one, counted to `most`."""
    found = jobs_of(actor).filter(wanted.condition(), pk__gt=newest)
    return found.order_by("pk")[:most].count()


def job_any(actor: Actor) -> bool:
    """True when there is at least one job that the actor may see."""
    return jobs_of(actor).exists()


def job_state_counts(actor: Actor, wanted: JobFilter) -> dict[JobState, tuple[int, bool]]:
    """How many jobs are in each state, and whether that number is exact.

    The filter's own states are ignored, so that the counts can stand beside the filters.
    """
    found = jobs_of(actor).filter(wanted.without_states().condition())
    live = sorted(set(JobState) - TERMINAL)
    rows = found.filter(state__in=live).values_list("state").annotate(Count("pk"))
    counts = dict.fromkeys(JobState, (0, True))
    counts |= {JobState(state): (count, True) for state, count in rows.order_by()}
    for state in sorted(TERMINAL):
        some = found.filter(state=state).order_by()[: MOST_COUNTED + 1].count()
        counts[state] = (min(some, MOST_COUNTED), some <= MOST_COUNTED)
    return counts


def live_job_counts(actor: Actor) -> dict[JobState, int]:
    """How many jobs wait, are placed and run now."""
    counts = job_state_counts(actor, JobFilter())
    return {state: counts[state][0] for state in JobState if state not in TERMINAL}


def attempts_of(job: Job) -> list[Attempt]:
    """All tries of a job the actor was allowed to get, first to last."""
    return list(job.attempts.select_related("provider").order_by("number"))


def attempt_of(job: Job, number: int | None = None) -> Attempt | None:
    """One try of a job by its number; without one the latest. None: no such try."""
    wanted = job.attempt if number is None else number
    return job.attempts.select_related("provider").filter(number=wanted).first()


def events_of(job: Job, *, after: int = 0, limit: int = 100) -> list[Event]:
    """What happened to a job the actor was allowed to get, oldest first."""
    return subject_events("job", job.pk, after=after, limit=limit)
