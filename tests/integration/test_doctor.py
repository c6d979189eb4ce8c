"""`manage.py doctor`: each thing that can be wrong is made wrong, and is found with its advice."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from jobs.models import Attempt, Job
from orchestrator.doctor import database, disk, engines, jobs, leases
from orchestrator.doctor import settings as settings_checks
from orchestrator.doctor.examination import examine
from orchestrator.doctor.finding import Finding, Level
from providers import leases as taking
from providers.leases import SCHEDULER, provider_lease
from providers.models import Lease, Provider
from tests.support.attempts import make_attempt
from tests.support.builders import make_job, make_provider
from tests.support.connections import other_session
from tests.support.running import PROJECT

pytestmark = pytest.mark.django_db


def ago(**time: float) -> datetime:
    return timezone.now() - timedelta(**time)


def made_now(columns: dict[str, Any]) -> dict[str, Any]:
    """The columns of a case, its durations counted back from this moment."""
    return {
        name: timezone.now() - value if isinstance(value, timedelta) else value
        for name, value in columns.items()
    }


def found(look: Callable[[], Iterator[Finding]], part: str) -> Finding:
    """The finding that says this. All that is wrong comes with advice."""
    findings = list(look())
    for finding in findings:
        assert bool(finding.advice) == (finding.level is not Level.OK)
    (wanted,) = [finding for finding in findings if part in finding.words]
    return finding_that_reads(wanted)


def finding_that_reads(finding: Finding) -> Finding:
    """Itself, once it is a sentence without a hole."""
    assert finding.words[-1] in ".)" or finding.level is not Level.OK
    assert "None" not in finding.words
    assert "{" not in finding.words
    return finding


def healthy_instance() -> Provider:
    """A provider, and an engine process that plans and drives it."""
    provider = make_provider("here")
    taking.acquire([SCHEDULER, provider_lease(provider.pk)], "host/1/ab", 60)
    return provider


def test_a_healthy_instance_has_no_problem() -> None:
    healthy_instance()
    wrong = [f for f in examine() if f.level is not Level.OK and f.check != "settings"]
    assert wrong == []


# --- the database ---


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("LEAST_VERSION", 99, "It is Postgres"),
        ("CONNECTIONS_SHARE", 0, "connections are in use."),
        ("clocks_apart", lambda: timedelta(seconds=40), "40 s behind the database's"),
        ("clocks_apart", lambda: timedelta(seconds=-40), "40 s ahead of the database's"),
    ],
)
def test_what_is_wrong_with_the_database(
    monkeypatch: pytest.MonkeyPatch, name: str, value: object, words: str
) -> None:
    monkeypatch.setattr(database, name, value)
    findings = [f for f in database.look() if words in f.words and f.level is not Level.OK]
    assert len(findings) == 1
    assert findings[0].advice


def test_clocks_on_one_machine_agree() -> None:
    assert abs(database.clocks_apart()) < timedelta(seconds=1)


def test_a_database_of_another_version_is_not_looked_into() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'providers' AND name <> '0001'")
    findings = examine()
    (told,) = [f for f in findings if "are not applied" in f.words]
    assert told.level is Level.PROBLEM
    assert not [f for f in findings if f.check == "leases"]


@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_stays_open_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "LONG_TRANSACTION", timedelta())

    def stay() -> int:
        transaction.set_autocommit(False)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            return int(cursor.fetchone()[0])

    with other_session() as other:
        pid = other.do(stay)
        told = found(database.look, f"Session {pid} ")
        assert "idle in transaction" in told.words
        assert f"pg_terminate_backend({pid})" in told.advice
        other.do(transaction.rollback)
        other.do(lambda: transaction.set_autocommit(True))


class Done(NamedTuple):
    """What a command answered."""

    status: int
    output: str


def doctor(*words: str, **environment: str) -> Done:
    """The real command, as an operator runs it."""
    done = subprocess.run(
        [sys.executable, "manage.py", "doctor", *words],
        cwd=PROJECT,
        env=dict(os.environ) | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Done(done.returncode, done.stdout or done.stderr)


def test_a_database_that_does_not_answer_is_said_with_status_2() -> None:
    done = doctor(DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    assert done.status == 2
    assert "problem  database  It does not answer:" in done.output
    assert "→ Start it" in done.output


# --- leases ---


def test_nobody_alive_is_a_problem_with_the_time_of_the_last_one() -> None:
    healthy_instance()
    Lease.objects.update(expires_at="2026-01-31T12:00:00Z")
    told = found(leases.look, "No engine process is alive since 2026-01-31 12:00:00 UTC")
    assert told.level is Level.PROBLEM
    Lease.objects.all().delete()
    assert found(leases.look, "No engine process is alive:").level is Level.PROBLEM


def test_a_provider_that_nobody_drives_is_a_problem() -> None:
    healthy_instance()
    make_provider("lone")
    assert found(leases.look, "Nobody drives lone.").level is Level.PROBLEM
    assert found(leases.look, "host/1/ab plans the queue").level is Level.OK


def test_providers_without_a_planner_are_a_problem() -> None:
    healthy_instance()
    Lease.objects.filter(name=SCHEDULER).update(expires_at="2001-01-01T00:00Z")
    assert found(leases.look, "none plans the queue").level is Level.PROBLEM


# --- engines ---

ENGINES: list[tuple[dict[str, Any], Level, str]] = [
    (
        {
            "health": "unreachable",
            "unreachable_since": "2026-01-31T12:00:00Z",
            "last_error": "refused",
        },
        Level.PROBLEM,
        "here does not answer since 2026-01-31 12:00:00 UTC: refused",
    ),
    ({"probed_at": None, "health": "unknown"}, Level.WARNING, "here was never looked at"),
    ({"probed_at": timedelta(minutes=5)}, Level.PROBLEM, "here was last looked at 5 min"),
    ({"health": "degraded", "last_error": "slow"}, Level.WARNING, "here is degraded: slow"),
    (
        {"disk_free_bytes": 10**9, "disk_total_bytes": 10**12},
        Level.PROBLEM,
        "here has 1 GB of disk left",
    ),
    ({"clock_offset_ms": -9_000}, Level.WARNING, "The clock of here is 9.0 s behind."),
    ({"mode": "inactive"}, Level.WARNING, "No provider takes new jobs."),
]


@pytest.mark.parametrize(("columns", "level", "words"), ENGINES, ids=[e[2] for e in ENGINES])
def test_what_is_wrong_with_an_engine(columns: dict[str, Any], level: Level, words: str) -> None:
    make_provider("here", **made_now(columns))
    assert found(engines.look, words).level is level


def test_what_is_left_on_an_engine_is_a_warning() -> None:
    attempt = make_attempt(phase="ended", ended_at=ago(minutes=5), handle={"v": 1, "id": "c"})
    told = found(engines.look, "1 container of ended jobs is still on")
    assert (told.level, f"?provider={attempt.provider_id} " in told.advice) == (Level.WARNING, True)


# --- disk ---


class Usage(NamedTuple):
    """What a disk tells of itself, in bytes."""

    total: int
    used: int
    free: int


@pytest.mark.parametrize(
    ("free", "level"),
    [(100 * 2**20, Level.PROBLEM), (2**30, Level.WARNING), (50 * 2**30, Level.OK)],
)
def test_a_full_disk_is_found_in_time(
    monkeypatch: pytest.MonkeyPatch, free: int, level: Level
) -> None:
    usage = Usage(100 * 2**30, 100 * 2**30 - free, free)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    assert found(disk.look, "are free at").level is level


def test_an_archive_that_takes_nothing_is_a_problem(settings: Any) -> None:
    storages = dict(settings.STORAGES)
    storages["default"] = {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": "/dev/null/archive"},
    }
    settings.STORAGES = storages
    assert found(disk.look, "The log archive takes nothing").level is Level.PROBLEM


# --- jobs ---


def test_a_queue_that_does_not_move_is_told_with_its_reason() -> None:
    job = make_job(reason="no_provider", queued_at=ago(minutes=20))
    make_job()
    told = found(jobs.look, "The oldest of 2 has waited 20 min")
    assert told.level is Level.WARNING
    assert f"Job {job.pk}: No active provider." in told.words
    Job.objects.update(queued_at=timezone.now())
    assert found(jobs.look, "The oldest of 2 has waited 0 s.").level is Level.OK


def test_jobs_out_of_sight_are_told_by_provider() -> None:
    attempt = make_attempt(not_seen_since=ago(minutes=3))
    told = found(jobs.look, f"Jobs on {attempt.provider.name} have been out of sight for 3 min")
    assert "force-finish" in told.advice


STUCK: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (
        {"phase": "placed", "placed_at": timedelta(minutes=3)},
        {},
        "no engine process has taken it up",
    ),
    ({"phase": "finishing", "finishing_at": timedelta(minutes=3)}, {}, "its log not drained"),
    ({"phase": "running"}, {"cancel_requested_at": timedelta(minutes=3)}, "to be cancelled"),
]


@pytest.mark.parametrize(("attempt", "job", "words"), STUCK, ids=[case[2] for case in STUCK])
def test_what_is_stuck_is_named(attempt: dict[str, Any], job: dict[str, Any], words: str) -> None:
    columns = made_now(attempt)
    made = make_attempt(**columns)
    Attempt.objects.filter(pk=made.pk).update(
        **{name: value for name, value in columns.items() if name.endswith("_at")}
    )
    Job.objects.filter(pk=made.job_id).update(**made_now(job))
    told = found(jobs.look, words)
    assert told.level is Level.WARNING
    assert f"job {made.job_id}." in told.words


# --- settings, and the command ---


def test_a_setting_that_goes_wrong_later_is_found(settings: Any) -> None:
    settings.LEASE_TTL = 0.5
    assert found(settings_look, "gantry.E003").level is Level.PROBLEM


def settings_look() -> Iterator[Finding]:
    return settings_checks.look()


@pytest.mark.parametrize(
    ("make", "status"),
    [
        (lambda: None, 0),
        (lambda: make_job(reason="no_provider", queued_at=ago(hours=1)), 1),
        (lambda: Lease.objects.all().delete(), 2),
    ],
    ids=["nothing", "a warning", "a problem"],
)
def test_the_exit_status_is_that_of_the_worst(
    make: Callable[[], object],
    status: int,
    settings: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings.ALLOW_FAKE_DRIVER = False  # the suite's own warning
    healthy_instance()
    make()
    try:
        call_command("doctor", "--json")
        ended = 0
    except SystemExit as error:
        ended = int(error.code or 0)
    said = json.loads(capsys.readouterr().out)
    assert (ended, said["status"]) == (status, ["ok", "warning", "problem"][status])
    assert {"check", "level", "words", "advice"} == set(said["findings"][0])
