"""What runs now, against what is usual for a job of its name: for the list on the home page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count

from jobs.glances import shape_of
from jobs.last_runs import NONE, LastRuns, last_runs, name_of, newest_of_each
from jobs.models import Attempt, Job
from jobs.records import NO_RECORD, Usual, coarse, records
from jobs.states import ACTIVE, TERMINAL, JobState, Phase
from jobs.whose import JobsQuery, Whose
from projects.actor import Actor
from projects.prepared import PreparedQuery

MOST_SHOWN = 6
LOOKED_AT = 60
_UNENDED = sorted(set(JobState) - TERMINAL)
_LARGE = ("spec", "secrets", "idempotency_digest")
_NEWEST = JobsQuery[Job](
    lambda jobs: (
        jobs.filter(state__in=sorted(ACTIVE))
        .select_related("project", "provider")
        .defer(*_LARGE)
        .order_by("-pk")[:MOST_SHOWN]
    )
)
_COUNTS = JobsQuery[tuple[str, int]](
    lambda jobs: (
        jobs.filter(state__in=_UNENDED).values_list("state").annotate(Count("pk")).order_by()
    )
)
_LATEST = JobsQuery[Job](lambda jobs: jobs.only("project_id", "name").order_by("-pk")[:LOOKED_AT])
_MINE = PreparedQuery(
    lambda ids: (
        Job.objects.select_related("project", "queue_class")
        .defer(*_LARGE)
        .filter(pk__any=ids)
        .order_by("-pk")
    )
)
_LIVE = PreparedQuery(
    lambda jobs: Attempt.objects.filter(job__any=jobs, ended_at=None).only(
        "job_id", "phase", "progress", "placed_at", "not_seen_since"
    )
)
_PHASES = {
    Phase.PLACED: "placed",
    Phase.PULLING: "pulling its image",
    Phase.CREATING: "starting",
    Phase.STARTING: "starting",
    Phase.FINISHING: "ended, its log is being read",
}


@dataclass(frozen=True, slots=True)
class Against:
    """How far a run is, on an axis that ends at its usual most, or at now where it is over:
    percents of the axis, and what is left in words. An estimate, and it says so."""

    share: str
    half: str
    words: str
    title: str
    over: bool = False


@dataclass(frozen=True, slots=True)
class Going:
    """One job that is under way, on a provider or in its program `since` then."""

    job: Job
    since: datetime
    words: str = ""
    against: Against | None = None
    unseen_since: datetime | None = None

    @property
    def shape(self) -> str:
        """Its state shape; a warning where nobody can see it, or where it takes too long."""
        late = self.against is not None and self.against.over
        return "warn" if self.unseen_since or late else shape_of(self.job)


@dataclass(frozen=True, slots=True)
class Mine:
    """One of a person's own jobs, with the last runs of its name."""

    job: Job
    runs: LastRuns


def against(usual: Usual, seconds: float) -> Against:
    """A run that has lasted so long."""
    axis = max(usual.most, seconds) or 1.0
    over = seconds > usual.most
    if over:
        words = f"{coarse(seconds - usual.most)} over its usual"
    elif seconds < usual.half:
        words = f"about {coarse(usual.half - seconds)} left"
    else:
        words = f"at most about {coarse(usual.most - seconds)} left"
    title = f"An estimate: {usual.words}, half of them {coarse(usual.half)}"
    return Against(
        f"{100 * seconds / axis:.1f}%", f"{100 * usual.half / axis:.1f}%", words, title, over
    )


def going(job: Job, attempt: Attempt | None, usual: Usual | None, now: datetime) -> Going:
    """One job with its live attempt and what is usual."""
    running = job.state == JobState.RUNNING and job.started_at is not None
    placed = attempt.placed_at if attempt is not None else job.queued_at
    since = job.started_at if running and job.started_at else placed
    if job.cancel_requested_at is not None:
        return Going(job, since, "stopping")
    if attempt is not None and attempt.not_seen_since is not None:
        return Going(job, since, "not seen", unseen_since=attempt.not_seen_since)
    if attempt is not None and attempt.phase != Phase.RUNNING:
        told = str(attempt.progress.get("text") or "") if attempt.phase == Phase.PULLING else ""
        words = f"pulling, {told}" if told else _PHASES.get(Phase(attempt.phase), "")
        return Going(job, since, words)
    if not running:
        return Going(job, since, "placed")
    if usual is None:
        return Going(job, since)
    seconds = max(0.0, (now - since).total_seconds())
    return Going(job, since, against=against(usual, seconds))


def running_now(actor: Actor, whose: Whose, now: datetime) -> list[Going]:
    """The newest jobs that are under way; three queries."""
    jobs = _NEWEST.fetch(actor, whose)
    attempts = {attempt.job_id: attempt for attempt in _LIVE.fetch([job.pk for job in jobs])}
    known = records([name_of(job) for job in jobs])
    return [
        going(job, attempts.get(job.pk), known.get(name_of(job), NO_RECORD).usual, now)
        for job in jobs
    ]


def live_counts(actor: Actor, whose: Whose) -> Mapping[JobState, int]:
    """How many jobs wait, are placed and run now; one query, exact."""
    found = {JobState(state): count for state, count in _COUNTS.fetch(actor, whose)}
    return dict.fromkeys(_UNENDED, 0) | found


def mine(actor: Actor) -> list[Mine]:
    """The person's latest jobs, of each name the newest; three queries."""
    latest = _LATEST.fetch(actor, Whose.MINE)
    jobs = _MINE.fetch([job.pk for job in newest_of_each(latest, MOST_SHOWN)])
    runs = last_runs([name_of(job) for job in jobs])
    return [Mine(job, runs.get(name_of(job), NONE)) for job in jobs]
