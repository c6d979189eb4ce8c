"""A large instance in a few statements: thousands of jobs with attempts and events, and the
providers they ran on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Model
from django.utils import timezone

from jobs.models import Attempt, Job
from jobs.states import JobState
from projects.models import Event, Project
from providers.models import HealthSample, Provider
from tests.support.builders import make_job, make_project, make_provider
from tests.support.filled import Filled

JOBS, PROVIDERS, HOURS = 10_000, 50, 24
STATES = ("completed",) * 14 + ("failed", "failed", "cancelled", "pending", "running", "completed")
NAMES = ("nightly-load", "hourly-rollup", "invoice-pdf", "train-ranker", "export-parquet")
M = TypeVar("M", bound=Model)


def many_rows(filled: Filled, jobs: int = JOBS, providers: int = PROVIDERS) -> None:
    """That many jobs, over all providers and some projects, the newest a minute old."""
    projects = [filled.project, *(make_project() for _ in range(9))]
    places = list(Provider.objects.filter(deleted_at__isnull=True))
    places += [make_provider() for _ in range(providers - len(places))]
    _write(HealthSample, _samples(places))
    made = _write(Job, _jobs(filled, projects, places, jobs))
    _write(Attempt, _attempts(made))
    _write(Event, _events(made))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _write(model: type[M], rows: Iterable[M]) -> list[M]:
    written: list[M] = []
    left = iter(rows)
    while some := list(islice(left, 1000)):
        written += model._default_manager.bulk_create(some)
    return written


def _samples(providers: list[Provider]) -> Iterator[HealthSample]:
    now = timezone.now()
    for provider in providers:
        for minutes in range(0, HOURS * 60, 10):
            at = now - timedelta(minutes=minutes)
            yield HealthSample(provider=provider, health="healthy", running=3, at=at)


def _jobs(
    filled: Filled, projects: list[Project], providers: list[Provider], many: int
) -> Iterator[Job]:
    """Copies of one job of each state; a day's worth is of the last 24 hours."""
    fields = [f.attname for f in Job._meta.concrete_fields if not f.primary_key]
    patterns = {
        state: make_job(state=state, provider=providers[0], submitted_by=filled.user)
        for state in set(STATES)
    }
    now = timezone.now()
    for n in range(many):
        pattern = patterns[STATES[n % len(STATES)]]
        values: dict[str, Any] = {name: getattr(pattern, name) for name in fields}
        created = now - timedelta(minutes=1) - timedelta(seconds=30) * (many - n)
        values["name"] = NAMES[n % len(NAMES)]
        values["project_id"] = projects[n % len(projects)].pk
        values["created_at"] = values["queued_at"] = created
        values["labels"] = {"team": f"team-{n % 7}"}
        if pattern.state != JobState.PENDING and pattern.state != JobState.CANCELLED:
            values["provider_id"] = providers[n % len(providers)].pk
            values["started_at"] = created + timedelta(seconds=2)
        if values["finished_at"]:
            values["finished_at"] = created + timedelta(seconds=20 + n % 40)
            values["run_seconds"] = 18.0 + n % 40
        yield Job(**values)


def _attempts(jobs: list[Job]) -> Iterator[Attempt]:
    for job in jobs:
        if job.started_at is None or job.provider_id is None:
            continue
        ended: datetime | None = job.finished_at
        yield Attempt(
            job=job,
            number=1,
            provider_id=job.provider_id,
            cpu_millis=job.cpu_millis,
            memory_mb=job.memory_mb,
            phase="ended" if ended else "running",
            outcome=job.state if ended else "",
            placed_at=job.created_at,
            running_at=job.started_at,
            started_at=job.started_at,
            ended_at=ended,
            finished_at=ended,
            removed_at=ended,
        )


def _events(jobs: list[Job]) -> Iterator[Event]:
    for job in jobs:
        for kind in ("job.submitted", "job.scheduled", "job.running"):
            yield Event(
                subject_kind="job",
                subject_id=job.pk,
                project_id=job.project_id,
                type=kind,
                at=job.created_at,
                actor_kind="user",
                actor_name="ada",
                via="web",
            )
