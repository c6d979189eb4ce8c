"""Reading jobs, as far as the actor may see them: members of the job's project.

Lists are keyset pages. Counts are exact for live states and to 1,000 for ended ones, as far
as there was time to count (jobs/search.py). No query here grows with the number of jobs that
were ever run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, QuerySet
from django.db.models.fields.json import KT

from jobs.filters import JobFilter
from jobs.models import Attempt, Job
from jobs.queue_search import in_turn
from jobs.search import ORDERS, Found, after_in_order, counts_of, first_of, ids_of
from jobs.sorts import Sort
from jobs.states import TERMINAL, JobState
from jobs.stretches import NONE
from projects.actor import Actor
from projects.cursors import Page, make_cursor, read_cursor
from projects.errors import NotFound
from projects.models import Event
from projects.prepared import PreparedQuery
from projects.selectors import subject_events

MOST_COUNTED = 1000
_MAX_ID = 2**63 - 1
_LISTED = PreparedQuery(
    lambda ids: (
        Job.objects.select_related("project", "provider", "submitted_by", "queue_class")
        .defer("spec", "secrets", "idempotency_digest")
        .annotate(max_attempts=KT("spec__retry__max_attempts"))
        .filter(pk__any=ids)
    )
)
_ONE_JOB = PreparedQuery(
    lambda ids: Job.objects.select_related(
        "project", "provider", "submitted_by", "queue_class"
    ).filter(pk__any=ids)
)


@dataclass(frozen=True, slots=True)
class JobPage(Page[Job]):
    """One page of jobs. `searched_to`: the search was broken off at jobs submitted then, before
    the page was full. `newest` is the last job there was of those that might be on it."""

    searched_to: datetime | None = None
    newest: int = 0


def jobs_of(actor: Actor) -> QuerySet[Job]:
    """The jobs that the actor may see."""
    ids = actor.project_ids()
    return Job.objects.all() if ids is None else Job.objects.filter(project__in=sorted(ids))


def job_get(actor: Actor, job_id: int) -> Job:
    """One job with its project, provider, submitter and class; one query.

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
    sort: Sort = Sort.NEWEST,
    limit: int = 50,
    cursor: str | None = None,
    newest: int | None = None,
) -> JobPage:
    """A page of jobs in that order, without the large columns.

    It takes a bounded time: a filter for which the whole table would have to be walked is
    answered with what was found until then, with `searched_to` and a cursor to go on. Jobs
    submitted while somebody pages through push nothing from one page to another. `newest` is
    the last job that may be on it. Of the spec each has `max_attempts`, as text. Raises
    BadRequest for a cursor of other filters.
    """
    query = wanted.as_query() | sort.as_query()
    found = jobs_of(actor).filter(wanted.condition())
    among = ids_of(wanted).within(high=newest)
    if sort is Sort.QUEUE:
        ids, more = in_turn(found.filter(pk__lte=among.high), limit, query, cursor)
        return JobPage(_listed(ids), more, None, among.high)
    after = read_cursor(cursor, query) if cursor else None
    if sort.by_id:
        if after is not None:
            among = among.within(low=after + 1) if sort.upward else among.within(high=after - 1)
        seen = first_of(found, limit + 1, among, upward=sort.upward)
    else:
        later = found.filter(after_in_order(after), pk__lte=among.high)
        rows = later.order_by(*ORDERS[sort]).values_list("pk", flat=True)
        seen = Found(list(rows[: limit + 1]), NONE)
    ids, rest = seen.ids[:limit], seen.unseen
    items = _listed(ids)
    if rest:
        edge = rest.low - 1 if sort.upward else rest.high + 1
        reached = _submitted_near(edge, sort) if len(ids) < limit else None
        return JobPage(items, make_cursor(edge, query), reached, among.high)
    if len(seen.ids) > limit:
        return JobPage(items, make_cursor(ids[-1], query), None, among.high)
    return JobPage(items, None, None, among.high)


def _listed(ids: Sequence[int]) -> list[Job]:
    """These jobs in this order, without those that are gone."""
    jobs = {job.pk: job for job in _LISTED.fetch(ids)} if ids else {}
    return [jobs[pk] for pk in ids if pk in jobs]


def _submitted_near(edge: int, sort: Sort) -> datetime | None:
    """When the jobs at the edge of a search were submitted."""
    there = Job.objects.filter(pk__lte=edge) if sort.upward else Job.objects.filter(pk__gte=edge)
    order = "-pk" if sort.upward else "pk"
    return there.order_by(order).values_list("created_at", flat=True).first()


def jobs_after(actor: Actor, wanted: JobFilter, newest: int, *, most: int = 100) -> int:
    """How many matching jobs came after that one, counted to `most`, and as far as one search
    comes."""
    found = jobs_of(actor).filter(wanted.condition())
    return len(first_of(found, most, ids_of(wanted).within(low=newest + 1), upward=True).ids)


def job_any(actor: Actor) -> bool:
    """True when there is at least one job that the actor may see."""
    # In the order of an index, which is then walked to the first of them.
    return bool(jobs_of(actor).order_by("project_id", "-pk").values_list("pk")[:1])


def job_state_counts(actor: Actor, wanted: JobFilter) -> dict[JobState, tuple[int, bool]]:
    """How many jobs are in each state, and whether that number is exact.

    The filter's own states are ignored, so that the counts can stand beside the filters. A
    number that is not exact is one that it is at least.
    """
    wanted = wanted.without_states()
    found = jobs_of(actor).filter(wanted.condition())
    live = sorted(set(JobState) - TERMINAL)
    rows = found.filter(state__in=live).values_list("state").annotate(Count("pk"))
    counts = dict.fromkeys(JobState, (0, True))
    counts |= {JobState(state): (count, True) for state, count in rows.order_by()}
    ended: Mapping[str, int]
    if wanted.is_counted_by_index:
        ended, whole = {state: _some(found.filter(state=state)) for state in TERMINAL}, True
    else:
        ended, whole = counts_of(found, TERMINAL, ids_of(wanted), enough=MOST_COUNTED + 1)
    for state in TERMINAL:
        exact = whole and ended[state] <= MOST_COUNTED
        counts[state] = (min(ended[state], MOST_COUNTED), exact)
    return counts


def _some(found: QuerySet[Job]) -> int:
    """How many, counted to one more than is told; in order, so that an index is walked."""
    return found.order_by("-pk")[: MOST_COUNTED + 1].count()


def attempts_of(job: Job) -> list[Attempt]:
    """All tries of a job the actor was allowed to get, first to last."""
    return list(job.attempts.select_related("provider").order_by("number"))


def attempt_of(job: Job, number: int | None = None) -> Attempt | None:
    """One try of a job by its number; without one the latest. None: no such try."""
    wanted = job.attempt if number is None else number
    return job.attempts.select_related("provider").filter(number=wanted).first()


def last_rerun(job: Job) -> int:
    """The number of the newest rerun of a job that has ended; 0 while there is none."""
    if job.state not in TERMINAL:
        return 0
    return job.reruns.order_by("-pk").values_list("pk", flat=True).first() or 0


def events_of(
    job: Job,
    *,
    after: int = 0,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 100,
) -> list[Event]:
    """What happened to a job the actor was allowed to get, oldest first: after an event's id, and
    between two times."""
    return subject_events("job", job.pk, after=after, since=since, until=until, limit=limit)
