"""The store in Postgres keeps the contract that the loop rests on."""

from __future__ import annotations

import json
import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from jobs import transitions
from jobs.models import Attempt, Job
from jobs.stat_store import readings_of
from jobs.states import Phase
from orchestrator.postgres_store import PostgresStore
from orchestrator.store import Store, StoreDown
from projects.actor import SYSTEM
from projects.models import Event, InstanceSettings
from projects.notify import ENGINE_CHANNEL, LIVE_CHANNEL, LiveChanges
from providers.models import EngineRequest, Lease, Provider
from tests.contract.store_contract import StoreContract
from tests.contract.store_stage import Stage
from tests.support.builders import make_job, make_provider
from tests.support.connections import listening, other_session
from tests.support.engine_rows import move, placed


class PostgresStage:
    """Rows of the test database."""

    def __init__(self) -> None:
        self.holder = "me"
        self.store: Store = PostgresStore(self.holder, 60)
        self.other: Store = PostgresStore("another", 60)

    def add_provider(self, name: str, *, cpu_millis: int = 4000, slots: int | None = None) -> int:
        return make_provider(name, cpu_millis=cpu_millis, memory_mb=8192, slots=slots).pk

    def add_job(
        self,
        *,
        cpu_millis: int = 1000,
        priority: int = 50,
        held: bool = False,
        max_attempts: int = 1,
        queue_timeout_seconds: int | None = None,
        backoff_seconds: int = 0,
    ) -> int:
        spec = {
            "priority": priority,
            "resources": {"cpu_cores": cpu_millis / 1000},
            "retry": {"max_attempts": max_attempts, "backoff_seconds": backoff_seconds},
        }
        job = make_job(spec=spec, held=held, queue_timeout_seconds=queue_timeout_seconds)
        return job.pk

    def age_job(self, job: int) -> None:
        hour = timedelta(hours=1)
        Job.objects.filter(pk=job).update(
            queued_at=F("queued_at") - hour,
            queue_until=F("queue_until") - hour,
            not_before=F("not_before") - hour,
        )
        Attempt.objects.filter(job=job).update(ended_at=F("ended_at") - hour)

    def cancel(self, job: int) -> None:
        transitions.request_cancel([job], SYSTEM)

    def hold(self, job: int) -> None:
        Job.objects.filter(pk=job).update(held=True)

    def set_mode(self, provider: int, mode: str) -> None:
        Provider.objects.filter(pk=provider).update(mode=mode)

    def expire_leases(self) -> None:
        Lease.objects.update(expires_at="2001-01-01T00:00Z")

    def job(self, job: int) -> tuple[str, str]:
        row = Job.objects.select_related("queue_class").get(pk=job)
        return row.state, row.told[0]

    def rev(self, job: int) -> int:
        return Job.objects.values_list("rev", flat=True).get(pk=job)

    def log(self, attempt: int) -> tuple[bool | None, str]:
        return Attempt.objects.values_list("log_complete", "log_note").get(pk=attempt)

    def readings(self, attempt: int) -> list[int]:
        return [reading.memory_bytes for reading in readings_of(attempt)]

    def memory_peak(self, attempt: int) -> int | None:
        return Attempt.objects.get(pk=attempt).memory_peak_bytes

    def ask(self, provider: int) -> int:
        deadline = timezone.now() + timedelta(minutes=1)
        return EngineRequest.objects.create(
            provider_id=provider, kind="probe", deadline=deadline
        ).pk

    def request(self, request: int) -> str:
        return EngineRequest.objects.values_list("status", flat=True).get(pk=request)


@pytest.mark.django_db
class TestPostgresStore(StoreContract):
    """The contract, over Postgres."""

    @pytest.fixture
    def stage(self) -> Stage:
        return PostgresStage()


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_the_server_ended_is_down_once_and_then_works_again() -> None:
    InstanceSettings.objects.get_or_create(pk=1)
    store = PostgresStore("me", 60)
    (fence,) = store.acquire(["a"], [])
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]
    with other_session() as other:
        assert other.do(lambda: end_session(pid))
    with pytest.raises(StoreDown):
        store.renew([fence])
    assert store.renew([fence]) == {"a"}


def end_session(pid: int) -> bool:
    """End a session of the server, and wait until it is gone."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        return bool(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_what_one_commit_changed_is_told_in_one_notice() -> None:
    InstanceSettings.objects.get_or_create(pk=1)
    store = PostgresStore("me", 60)
    attempts = [placed() for _ in range(5)]
    moves = [move(attempt, fence, Phase.CREATING) for attempt, fence in attempts]
    moves += [move(attempt, fence, Phase.STARTING) for attempt, fence in attempts]
    with listening(LIVE_CHANNEL) as told, listening(ENGINE_CHANNEL) as engine_told:
        store.apply(moves, LiveChanges(), wake_scheduler=True)
        (notice,) = [json.loads(payload) for payload in told()]
        assert engine_told() == ["jobs"]
        store.apply(moves, None, wake_scheduler=False)
        assert (told(), engine_told()) == ([], [])
    assert {job for job, _, _ in notice["jobs"]} == {a.job_id for a, _ in attempts}
    for job, rev, project in notice["jobs"]:
        now = Job.objects.get(pk=job)
        assert (rev, project) == (now.rev, now.project_id)


@pytest.mark.django_db(transaction=True)
def test_people_s_intents_are_told_in_one_notice_each_and_not_when_rolled_back() -> None:
    jobs = [make_job() for _ in range(3)]
    held = make_job(held=True)
    with listening(LIVE_CHANNEL) as told, listening(ENGINE_CHANNEL) as engine_told:
        transitions.request_cancel([job.pk for job in jobs], SYSTEM)
        assert (len(told()), engine_told()) == (1, [])
        transitions.release([held.pk], SYSTEM)
        assert (len(told()), engine_told()) == (1, ["jobs"])
        with transaction.atomic():
            transitions.request_cancel([held.pk], SYSTEM)
            transaction.set_rollback(True)
        assert (told(), engine_told()) == ([], [])


FEED = """
SELECT id FROM projects_event
WHERE xid < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY xid, id
"""


def feed() -> list[int]:
    """The events that a reader may take up to now, in the feed's order."""
    with connection.cursor() as cursor:
        cursor.execute(FEED)
        return [row[0] for row in cursor.fetchall()]


@pytest.mark.django_db(transaction=True)
def test_a_reader_of_the_feed_misses_no_event_that_becomes_visible_late() -> None:
    """An early id of a slow transaction shows after later ids of quick ones: a reader that
    went by ids would pass it over; the feed holds the later ones back instead."""
    slow, quick = make_job(), make_job()
    wrote, go_on = threading.Event(), threading.Event()

    def cancel_slowly() -> None:
        with transaction.atomic():
            transitions.request_cancel([slow.pk], SYSTEM)
            wrote.set()
            assert go_on.wait(10)

    with other_session() as other:
        cancelling = other.begin(cancel_slowly)
        assert wrote.wait(10)
        transitions.request_cancel([quick.pk], SYSTEM)
        (visible,) = Event.objects.values_list("subject_id", flat=True)
        assert visible == quick.pk
        assert feed() == []
        go_on.set()
        cancelling.result(10)
    both = list(Event.objects.order_by("id").values_list("id", "subject_id"))
    assert [subject for _, subject in both] == [slow.pk, quick.pk]
    assert feed() == [pk for pk, _ in both]
