"""Jobs that ended before it was kept how long they ran are told it by a migration, a few at a
time, while others go on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from jobs.models import Attempt, Job
from tests.support.attempts import make_attempt
from tests.support.builders import make_job
from tests.support.connections import other_session

pytestmark = pytest.mark.django_db

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
old = import_module("jobs.migrations.0020_run_seconds_of_old")


def ended(seconds: float | None, *, attempts: int = 1, **columns: Any) -> Job:
    """A job whose last attempt ran so long, or nobody knows how long, and any before it an hour."""
    job = make_job(state="failed", attempt=attempts, started_at=BEGAN, run_seconds=None)
    Job.objects.filter(pk=job.pk).update(**columns)
    for number in range(1, attempts + 1):
        ran = timedelta(hours=1) if number < attempts else seconds and timedelta(seconds=seconds)
        made = make_attempt(phase="ended", job=job, number=number, started_at=BEGAN)
        end = BEGAN + ran if isinstance(ran, timedelta) else None
        Attempt.objects.filter(pk=made.pk).update(finished_at=end)
    return job


def tell(monkeypatch: pytest.MonkeyPatch, batch: int) -> int:
    """Run the migration; how many batches it took."""
    monkeypatch.setattr(old, "BATCH", batch)
    with CaptureQueriesContext(connection) as queries, connection.schema_editor() as editor:
        old.tell(None, editor)
    return sum("SKIP LOCKED" in query["sql"] for query in queries)


def known(*jobs: Job) -> list[float | None]:
    found = dict(Job.objects.values_list("pk", "run_seconds"))
    return [found[job.pk] for job in jobs]


def test_all_that_had_ended_are_told_by_their_last_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    once, twice, lost = ended(7), ended(8, attempts=2), ended(None)
    before, behind = ended(9, run_seconds=3.0), ended(-1)  # its engine's clock was set back
    cancelled, live = make_job(state="cancelled"), make_attempt(phase="running").job
    tell(monkeypatch, 2)
    told = known(once, twice, lost, before, behind, cancelled, live)
    assert told == [7.0, 8.0, None, 3.0, 0.0, None, None]


def test_they_are_told_a_few_at_a_time_each_time_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = [ended(7) for _ in range(5)]
    assert old.Migration.atomic is False
    assert tell(monkeypatch, 2) == 4  # the last finds none
    assert known(*jobs) == [7.0] * 5


@pytest.mark.django_db(transaction=True)
def test_one_that_another_deletes_meanwhile_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    goes, stays = ended(7), ended(8)
    with other_session() as other, connection.cursor() as cursor:
        other.do(lambda: transaction.set_autocommit(False))
        other.do(lambda: Job.objects.select_for_update().get(pk=goes.pk))
        cursor.execute("SET lock_timeout = '5s'")
        tell(monkeypatch, 5)
        cursor.execute("RESET lock_timeout")
    assert known(goes, stays) == [None, 8.0]
