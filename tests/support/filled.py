"""An instance with rows in every table that a page shows, as many of each as asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Group, User
from django.utils import timezone
from django_q.models import OrmQ, Schedule, Task

from jobs.models import Attempt, Job, StatPage
from jobs.states import JobState
from projects.models import Event, Membership, Project, Role
from providers.models import EngineRequest, HealthSample, Lease, Provider, RegistryCredential, Stray
from tests.support.attempts import make_attempt
from tests.support.builders import make_job, make_project, make_provider, make_token, make_user
from tests.support.log_rows import append, lines

WAITS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("queued", {}),
    ("no_capacity", {"need": "4 CPU", "best": "node-1"}),
    ("too_large", {"need": "1 TiB of memory", "largest": "64 GiB"}),
    ("backoff", {"delay": "10 s", "next": 2, "cost": "free", "last": "exit code 3"}),
)
FAILURES: tuple[tuple[str, dict[str, Any], int | None], ...] = (
    ("exit_code", {"exit_code": 1}, 1),
    ("exit_code", {"exit_code": 127}, 127),
    ("oom_killed", {"memory_mb": 512}, 137),
    ("timeout", {"limit": "1 h"}, None),
    ("image_not_found", {"image": "sample:1", "message": "no such tag"}, None),
    ("provider_lost", {"provider": "node-1", "message": "no answer"}, None),
)


LATEST = 500
"""The number of the latest attempt of a job that is opened."""


@dataclass(frozen=True, slots=True)
class Filled:
    """The things whose pages are opened; the other rows are there beside them."""

    user: User
    """An administrator who has jobs and tokens of their own."""
    viewer: User
    project: Project
    provider: Provider
    request: EngineRequest
    login: RegistryCredential
    jobs: dict[str, Job]
    """One in each state, with its attempt where it has one."""


def fill(many: int) -> Filled:
    """That many rows of each kind."""
    project = make_project("default")
    Project.objects.filter(pk=project.pk).update(
        max_running=1, max_memory_mb=2048, max_queued=1000, submits_per_minute=1000,
        paused_at=timezone.now(), paused_by="ada", pause_note="the file server is down",
    )  # fmt: skip
    user, viewer = make_user("ada", superuser=True), make_user(project=project, role=Role.VIEWER)
    provider, *_ = [_provider(n) for n in range(many)]
    jobs: dict[str, Job] = {}
    filled = Filled(
        user=user,
        viewer=viewer,
        project=project,
        provider=provider,
        request=EngineRequest.objects.filter(provider=provider).latest("pk"),
        login=RegistryCredential.objects.filter(provider=provider).latest("pk"),
        jobs=jobs,
    )
    for n in range(many):
        jobs.update({job.state: job for job in _jobs(filled, provider, n)})
        _ground(filled)
    _more_history(filled, many)
    return filled


def grow(filled: Filled, many: int) -> None:
    """That many more of each kind, and as much more history of the things that are opened."""
    for n in range(many):
        _jobs(filled, _provider(n), n)
        _jobs(filled, filled.provider, n)
        _ground(filled)
    _more_history(filled, many)


def _provider(n: int) -> Provider:
    health = ("healthy", "healthy", "degraded", "unreachable")[n % 4]
    now = timezone.now()
    provider = make_provider(
        health=health,
        mode=("active", "active", "draining", "inactive")[n % 4],
        labels={"pool": "batch"},
        version="27.3",
        facts={"system": "Linux 6.18"},
        disk_free_bytes=2**36,
        disk_total_bytes=2**38,
        unreachable_since=now if health == "unreachable" else None,
        last_error="no route to host" if health == "unreachable" else "",
        last_error_at=now if health == "unreachable" else None,
    )
    for minutes in range(0, 60, 10):
        HealthSample.objects.create(
            provider=provider, health=health, running=1, at=now - timedelta(minutes=minutes)
        )
    EngineRequest.objects.create(
        provider=provider, kind="test", deadline=now + timedelta(minutes=3), status="done"
    )
    RegistryCredential.objects.create(
        provider=provider, registry="ghcr.io", username="bot", secret=b"x"
    )
    Stray.objects.create(
        provider=provider, uid="s", job=7, attempt=1, handle={}, removal_error="busy"
    )
    Lease.objects.create(
        name=f"provider:{provider.pk}",
        holder="host/1/a",
        expires_at=now + timedelta(minutes=1),
        acquired_at=now,
    )
    return provider


def _jobs(filled: Filled, provider: Provider, n: int) -> list[Job]:
    """One job in each state."""
    common: dict[str, Any] = {"project": filled.project, "submitted_by": filled.user}
    name = f"load-{n}"
    reason, detail = WAITS[n % len(WAITS)]
    why, facts, code = FAILURES[n % len(FAILURES)]
    now = timezone.now()
    begun: dict[str, Any] = {"started_at": now - timedelta(minutes=3)}
    made = [
        make_job(state="pending", name=name, reason=reason, reason_detail=detail, **common),
        make_job(state="scheduled", name=name, provider=provider, **common),
        make_job(state="running", name=name, provider=provider, **common, **begun),
        make_job(state="completed", name=name, provider=provider, **common, **begun),
        make_job(
            state="failed",
            name=name,
            provider=provider,
            reason=why,
            reason_detail=facts,
            exit_code=code,
            labels={"team": "etl", "env": "prod"},
            **common,
            **begun,
        ),
        make_job(state="cancelled", name=name, **common),
    ]
    make_job(state="pending", name="held", held=True, reason="held", **common)
    for job in made:
        _attempt(job, provider, unseen=n % 4 == 3)
    return made


def _attempt(job: Job, provider: Provider, *, unseen: bool) -> None:
    """The attempt that the job's state needs, with a log where it ran."""
    now = timezone.now()
    at = now - timedelta(minutes=3)
    begun: dict[str, Any] = {"started_at": at, "running_at": at}
    match JobState(job.state):
        case JobState.SCHEDULED:
            make_attempt(job=job, provider=provider, phase="pulling", pulling_at=now)
        case JobState.RUNNING:
            gone = now if unseen else None
            attempt = make_attempt(job=job, provider=provider, not_seen_since=gone, **begun)
            append(attempt, lines(1, 30))
        case JobState.COMPLETED | JobState.FAILED:
            attempt = make_attempt(
                job=job, provider=provider, phase="ended", finished_at=now, **begun
            )
            append(attempt, lines(1, 30))
            Attempt.objects.filter(pk=attempt.pk).update(
                outcome=job.state, reason=job.reason, exit_code=job.exit_code
            )


def _more_history(filled: Filled, many: int) -> None:
    """Earlier attempts, events and readings of the jobs that are opened; the latest attempt has
    a number that leaves room for all of them."""
    for state, job in filled.jobs.items():
        kinds = ("job.submitted", "job.scheduled", "job.running") * many
        Event.objects.bulk_create(_event(job, kind) for kind in kinds)
        if state not in (JobState.RUNNING, JobState.FAILED, JobState.COMPLETED):
            continue
        job.attempts.filter(number=1, pk=job.attempts.latest("pk").pk).update(number=LATEST)
        Job.objects.filter(pk=job.pk).update(attempt=LATEST)
        job.refresh_from_db()
        latest, before = job.attempts.get(number=LATEST), job.attempts.count()
        for number in range(before, before + many):
            make_attempt(
                job=job,
                provider=filled.provider,
                phase="ended",
                number=number,
                reason="exit_code",
                exit_code=3,
            )
            StatPage.objects.create(attempt=latest, page=number, body=b"")


def _event(job: Job, kind: str) -> Event:
    return Event(
        subject_kind="job",
        subject_id=job.pk,
        project=job.project,
        type=kind,
        actor_kind="host",
        actor_name="host/1",
        via="engine",
    )


def _ground(filled: Filled) -> None:
    """What stands in the tables of people, tokens and housekeeping."""
    user = filled.user
    other = make_project()
    member = make_user(project=other)
    Membership.objects.create(project=filled.project, user=member, role=Role.SUBMITTER)
    make_token(user)
    Group.objects.create(name=f"group-{other.pk}")
    Event.objects.create(
        subject_kind="provider", subject_id=1, type="provider.mode", source="active",
        target="draining", actor_kind="user", actor_id=user.pk, actor_name="ada", via="web",
    )  # fmt: skip
    now = timezone.now()
    Schedule.objects.create(name=f"sweep-{other.pk}", func="jobs.tasks.retention")
    OrmQ.objects.create(key="gantry", payload="x", lock=now)
    for good in (True, False):
        Task.objects.create(
            id=f"{other.pk}-{good}", name=f"task-{other.pk}-{good}", func="jobs.tasks.retention",
            started=now, stopped=now, success=good, result="done",
        )  # fmt: skip
