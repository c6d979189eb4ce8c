"""The sweeps that qcluster runs: each does its work, and a second run finds nothing to do."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import FileSystemStorage, default_storage
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import Schedule

from jobs import tasks, transitions
from jobs.endings import Ending
from jobs.log.archive import Gap, archive_log, log_folder, stored_chunks
from jobs.models import Attempt, Job, LogChunk, StatPage
from jobs.queue_models import QueueClass, WaitSpan
from jobs.retention import delete_jobs, delete_logs
from jobs.stat_pages import Reading, pack, page_of
from jobs.states import Outcome, Phase
from orchestrator.postgres_store import PostgresStore
from orchestrator.schedules import PREFIX, SWEEPS, sync_schedules
from projects.actor import SYSTEM
from projects.events import Happening, record
from projects.models import Event
from providers.history import Usage, record_samples, thin_samples
from providers.models import EngineRequest, HealthSample, HealthState
from providers.tasks import tidy_requests
from tests.support.attempts import make_attempt
from tests.support.builders import make_job
from tests.support.engine_rows import bring_to, hold, move, placed, write
from tests.support.log_rows import append, lines
from tests.support.plans import looked_at

pytestmark = pytest.mark.django_db
NOW = timezone.now()


@pytest.fixture(autouse=True)
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FileSystemStorage:
    """The default storage of this test, in a folder of its own."""
    own = FileSystemStorage(location=tmp_path)
    monkeypatch.setattr(default_storage, "_wrapped", own)
    return own


def ended(days_ago: float, log_lines: int = 20) -> Attempt:
    attempt = make_attempt(phase="ended", ended_at=NOW - timedelta(days=days_ago))
    append(attempt, lines(1, log_lines))
    return attempt


def test_the_archive_sweep_takes_every_ended_log_and_then_nothing() -> None:
    attempts = [ended(days_ago=0) for _ in range(3)]
    running = make_attempt(phase="running")
    append(running, lines(1, 20))
    assert tasks.archive_logs().startswith("archived 3 logs: 3 blocks")
    assert tasks.archive_logs() == ""
    left = LogChunk.objects.values_list("attempt_id", flat=True)
    assert set(left) == {running.pk}
    assert all(Attempt.objects.get(pk=a.pk).log_archive for a in attempts)


def test_a_running_log_is_archived_once_too_much_of_it_stands_in_the_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attempt = make_attempt(phase="running")
    append(attempt, lines(1, 60_000, width=80))
    assert tasks.archive_logs() == ""
    monkeypatch.setattr(tasks, "STANDING_BYTES", 2**20)
    monkeypatch.setattr(tasks, "_CHUNKS_OF_STANDING_BYTES", 16)
    assert tasks.archive_logs().startswith("archived 1 logs")
    assert Attempt.objects.get(pk=attempt.pk).log_archived_seq > 0


def test_many_small_chunks_of_a_running_log_are_archived_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tasks, "STANDING_CHUNKS", 300)
    monkeypatch.setattr("jobs.log.archive.BLOCK_BYTES", 10_000)
    attempt = make_attempt(phase="running")
    for number in range(1, 302):
        append(attempt, lines(number, 1))
    assert tasks.archive_logs().startswith("archived 1 logs")


def test_the_archive_sweep_reads_no_attempt_that_has_nothing_to_archive() -> None:
    done = make_attempt(phase="ended")
    columns: dict[str, Any] = {"phase": "ended", "outcome": "completed", "ended_at": NOW}
    columns |= {"job": done.job, "provider": done.provider, "cpu_millis": 1000, "memory_mb": 512}
    Attempt.objects.bulk_create(Attempt(number=n, **columns) for n in range(2, 500))
    make_attempt(phase="running")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE jobs_attempt")
    with CaptureQueriesContext(connection) as asked:
        tasks.archive_logs()
    reads = [query["sql"] for query in asked if 'FROM "jobs_attempt"' in query["sql"]]
    assert len(reads) == 2
    assert [looked_at("jobs_attempt", read) for read in reads] == [1, 0]


def test_one_log_that_cannot_be_archived_does_not_hold_up_the_others(
    storage: FileSystemStorage, caplog: pytest.LogCaptureFixture
) -> None:
    stuck, fine = ended(days_ago=2), ended(days_ago=1)
    in_the_way = Path(storage.path(log_folder(stuck.job_id, stuck.number)))
    in_the_way.parent.mkdir(parents=True)
    in_the_way.write_text("no folder")
    assert tasks.archive_logs().startswith("archived 1 logs")
    assert not LogChunk.objects.filter(attempt=fine).exists()
    assert LogChunk.objects.filter(attempt=stuck).exists()
    assert f"attempt {stuck.pk}" in caplog.text


def test_old_logs_go_with_a_note_and_their_attempt_stays(storage: FileSystemStorage) -> None:
    old, new = ended(days_ago=31), ended(days_ago=29)
    tasks.archive_logs()
    assert tasks.keep_retention() == "deleted 1 old logs and 0 old jobs"
    assert tasks.keep_retention() == ""
    old.refresh_from_db()
    new.refresh_from_db()
    assert (old.log_complete, old.log_note) == (False, "Deleted after 30 days.")
    assert old.log_archive == []
    (gap,) = stored_chunks(old.pk)
    assert isinstance(gap, Gap)
    assert (gap.first_seq, gap.lines, gap.why) == (1, 20, "Deleted after 30 days.")
    assert new.log_archive
    assert not Path(storage.path(f"logs/{old.job_id}")).exists()
    assert Path(storage.path(new.log_archive[0]["path"])).exists()


def test_an_old_log_that_was_never_archived_goes_too() -> None:
    attempt = ended(days_ago=31)
    assert delete_logs(NOW - timedelta(days=30), "gone", limit=10) == 1
    assert not LogChunk.objects.filter(attempt=attempt).exists()
    assert delete_logs(NOW - timedelta(days=30), "gone", limit=10) == 0


def test_blocks_that_nothing_points_to_go_with_their_log(storage: FileSystemStorage) -> None:
    attempt = ended(days_ago=31)
    archive_log(attempt.pk)
    orphan = Path(storage.path(log_folder(attempt.job_id, attempt.number))) / "orphan.blk"
    orphan.write_bytes(b"left by a crash")
    tasks.keep_retention()
    assert not orphan.exists()


def test_old_jobs_go_with_all_that_is_theirs_and_one_event_says_so(
    storage: FileSystemStorage,
) -> None:
    old, rerun = ended(days_ago=91), ended(days_ago=1)
    Job.objects.filter(pk=rerun.job_id).update(rerun_of=old.job_id)
    record([Happening("job", old.job_id, "job.completed")], SYSTEM)
    tasks.archive_logs()
    append(old, lines(21, 20))  # so that some of its log is archived, and some stands in the table
    StatPage.objects.create(attempt=old, page=1, body=b"")
    assert "1 old jobs" in tasks.keep_retention()
    assert list(Job.objects.values_list("pk", flat=True)) == [rerun.job_id]
    assert not LogChunk.objects.filter(attempt_id=old.pk).exists()
    assert not StatPage.objects.exists()
    assert not Event.objects.filter(subject_kind="job").exists()
    (event,) = Event.objects.filter(type="retention.deleted")
    assert event.detail["jobs"] == 1
    assert not Path(storage.path(f"logs/{old.job_id}")).exists()


def test_old_jobs_go_in_batches_each_from_where_the_last_one_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tasks, "JOBS_BATCH", 2)
    at_once = NOW - timedelta(days=95)
    for finished_at in (at_once, at_once, at_once, NOW - timedelta(days=99)):
        make_job(state="completed", finished_at=finished_at)
    kept = make_job(state="completed", finished_at=NOW - timedelta(days=89))
    assert "4 old jobs" in tasks.keep_retention()
    assert list(Job.objects.values_list("pk", flat=True)) == [kept.pk]
    late = make_job(state="completed", finished_at=at_once)
    assert delete_jobs(NOW, limit=2, since=at_once + timedelta(seconds=1)).jobs == 1
    assert delete_jobs(NOW, limit=2) == (1, late.finished_at)


def test_a_class_in_which_nothing_waits_any_more_goes_with_its_history() -> None:
    waits, done = make_job(reason="no_capacity"), make_job(reason="no_match")
    transitions.request_cancel([done.pk], SYSTEM)
    long_ago = timezone.now() - timedelta(days=30)
    QueueClass.objects.update(since=long_ago)
    fresh = make_job(reason="no_provider")
    transitions.request_cancel([fresh.pk], SYSTEM)
    tasks.keep_retention()
    kept = {waits.queue_class_id, fresh.queue_class_id}
    assert set(QueueClass.objects.values_list("pk", flat=True)) == kept
    assert set(WaitSpan.objects.values_list("queue_class", flat=True)) == kept


def test_a_class_of_which_a_job_runs_stays_and_that_one_can_be_tried_again() -> None:
    scheduler = hold()
    attempt, fence = placed(spec={"retry": {"max_attempts": 2, "backoff_seconds": 0}})
    bring_to(attempt, fence, Phase.RUNNING)
    QueueClass.objects.update(since=NOW - timedelta(days=30))
    tasks.keep_retention()
    failed = Ending(Outcome.FAILED, "exit_code", {"exit_code": 1}, 1)
    write(move(attempt, fence, Phase.FINISHING))
    write(move(attempt, fence, Phase.ENDED, ending=failed))
    store = PostgresStore("me", 60)
    store.tend_queue(scheduler)
    assert [one.jobs for one in store.snapshot().classes] == [(attempt.job_id,)]


def test_classes_that_wait_for_long_do_not_keep_others_from_going(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tasks, "BATCH", 2)
    waiting = {make_job(reason="no_match").queue_class_id for _ in range(3)}
    QueueClass.objects.update(since=NOW - timedelta(days=60))
    done = make_job(reason="no_match")
    transitions.request_cancel([done.pk], SYSTEM)
    QueueClass.objects.filter(jobs=done).update(since=NOW - timedelta(days=30))
    tasks.keep_retention()
    assert set(QueueClass.objects.values_list("pk", flat=True)) == waiting


def test_a_job_whose_class_is_gone_is_found_again() -> None:
    scheduler, job = hold(), make_job()
    QueueClass.objects.all().delete()
    store = PostgresStore("me", 60)
    assert store.snapshot().classes == ()
    tasks.keep_retention()
    store.tend_queue(scheduler)
    assert [one.jobs for one in store.snapshot().classes] == [(job.pk,)]


def test_reasons_to_wait_are_kept_as_long_as_jobs() -> None:
    make_job(reason="no_capacity")
    now = WaitSpan.objects.get()
    over = [
        WaitSpan.objects.create(
            queue_class=now.queue_class, reason="no_match", since=NOW - timedelta(days=days + 1),
            until=NOW - timedelta(days=days),
        )
        for days in (89, 91)
    ]  # fmt: skip
    tasks.keep_retention()
    assert set(WaitSpan.objects.values_list("pk", flat=True)) == {now.pk, over[0].pk}


def test_live_jobs_are_never_too_old() -> None:
    attempt = make_attempt(phase="running")
    Job.objects.filter(pk=attempt.job_id).update(created_at=NOW - timedelta(days=400))
    assert tasks.keep_retention() == ""
    assert Job.objects.filter(pk=attempt.job_id).exists()


def test_each_provider_gets_one_sample_a_minute_with_its_load() -> None:
    attempt = make_attempt(phase="running")
    make_attempt(phase="ended", provider=attempt.provider)
    tasks.sample_providers()
    (sample,) = HealthSample.objects.all()
    load = (sample.used_cpu_millis, sample.used_memory_mb, sample.running)
    assert (sample.provider_id, sample.health, load) == (
        attempt.provider_id,
        HealthState.HEALTHY,
        (1000, 512, 1),
    )
    assert sample.at.second == sample.at.microsecond == 0


def test_a_sample_has_what_was_measured_and_nothing_where_nothing_was() -> None:
    attempt, unmeasured = make_attempt(phase="running"), make_attempt(phase="running")
    reading = Reading(timezone.now() - timedelta(seconds=4), 300, 200 * 2**20)
    StatPage.objects.create(attempt=attempt, page=page_of(reading.at), body=pack(reading))
    tasks.sample_providers()
    found = {
        sample.provider_id: (sample.measured_cpu_millis, sample.measured_memory_mb)
        for sample in HealthSample.objects.all()
    }
    assert found == {attempt.provider_id: (300, 200), unmeasured.provider_id: (None, None)}


def test_a_second_run_in_the_same_minute_adds_no_sample() -> None:
    provider = make_attempt().provider
    record_samples({provider.pk: Usage(1, 1, 1)})
    minute = HealthSample.objects.get().at
    HealthSample.objects.update(at=minute + timedelta(minutes=5))  # the clock cannot outrun it
    assert record_samples({}) == 0


def test_the_history_keeps_the_worst_of_each_quarter_of_an_hour() -> None:
    provider = make_attempt().provider
    start = (NOW - timedelta(days=3)).replace(minute=0, second=0, microsecond=0)
    for minute in range(30):
        health = HealthState.UNREACHABLE if minute == 7 else HealthState.HEALTHY
        HealthSample.objects.create(
            provider=provider, at=start + timedelta(minutes=minute), health=health
        )
    HealthSample.objects.create(provider=provider, at=NOW, health=HealthState.HEALTHY)
    HealthSample.objects.create(
        provider=provider, at=NOW - timedelta(days=31), health=HealthState.HEALTHY
    )
    assert thin_samples(NOW, limit=10) == 10
    assert thin_samples(NOW, limit=1000) == 19
    assert thin_samples(NOW, limit=1000) == 0
    kept = HealthSample.objects.order_by("at").values_list("at", "health")
    assert list(kept) == [
        (start + timedelta(minutes=7), "unreachable"),
        (start + timedelta(minutes=15), "healthy"),
        (NOW, "healthy"),
    ]


def test_requests_that_nobody_answered_expire_and_old_ones_go() -> None:
    provider = make_attempt().provider
    late, open_, old = (
        EngineRequest.objects.create(
            provider=provider, kind="probe", status=status, deadline=NOW + timedelta(minutes=wait)
        )
        for status, wait in (("waiting", -1), ("working", 24 * 60), ("done", -1))
    )
    EngineRequest.objects.filter(pk=old.pk).update(created_at=NOW - timedelta(days=8))
    assert tidy_requests() == "expired 1 unanswered engine requests, deleted 1 old ones"
    assert tidy_requests() == ""
    states = dict(EngineRequest.objects.values_list("pk", "status"))
    assert states == {late.pk: "expired", open_.pk: "working"}


def test_the_schedules_follow_the_declared_list_and_leave_others_alone() -> None:
    Schedule.objects.create(name="by hand", func="math.sqrt")
    Schedule.objects.create(name=PREFIX + "no longer declared", func="math.sqrt")
    assert sync_schedules() == len(SWEEPS) + 1
    assert sync_schedules() == 0
    Schedule.objects.filter(name=PREFIX + SWEEPS[0].name).update(minutes=99)
    assert sync_schedules() == 1
    rows = Schedule.objects.filter(name__startswith=PREFIX)
    assert {(row.name, row.func, row.minutes) for row in rows} == {
        (PREFIX + sweep.name, sweep.function, sweep.minutes) for sweep in SWEEPS
    }
    assert Schedule.objects.filter(name="by hand").exists()


def test_two_rows_of_one_schedule_become_one() -> None:
    sync_schedules()
    row = Schedule.objects.get(name=PREFIX + SWEEPS[0].name)
    row.pk = None
    row.save()
    assert sync_schedules() == 1
    assert Schedule.objects.filter(name=PREFIX + SWEEPS[0].name).count() == 1
