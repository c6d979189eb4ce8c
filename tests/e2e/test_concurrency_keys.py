"""Concurrency keys with a real engine: how many run at once, who gives way, and that no death
of the process that counts them keeps a key taken."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from jobs.models import Attempt, Job
from jobs.reasons import reason_text
from jobs.services import job_cancel
from projects.actor import SYSTEM
from projects.models import Event
from tests.support.engine_process import EngineProcess, EngineWorld
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.docker, pytest.mark.e2e]

SHORT, LONG = "sleep 0.7", "sleep 300"


@pytest.fixture(scope="module", autouse=True)
def engine(world: EngineWorld) -> EngineProcess:
    """One engine process with room for far more jobs than any key here lets run."""
    world.provider()
    process = world.engine(ttl=2)
    process.start()
    return process


def submit(world: EngineWorld, script: str, key: str, **concurrency: Any) -> Job:
    return world.submit(script=script, concurrency={"key": key} | concurrency)


def told(job: Job) -> tuple[str, str]:
    """Why it waits or how it ended: the code, and the words."""
    code, detail = Job.objects.select_related("queue_class").get(pk=job.pk).told
    return code, reason_text(code, detail)


def runs(jobs: list[Job]) -> list[Attempt]:
    """Their attempts, in the order in which their programs began, by the engine's clock."""
    found = Attempt.objects.filter(job__in=jobs, started_at__isnull=False)
    return list(found.order_by("started_at"))


def one_after_the_other(jobs: list[Job]) -> bool:
    found = runs(jobs)
    assert len(found) == len(jobs), "each ran once"
    return all(
        one.finished_at is not None
        and other.started_at is not None
        and one.finished_at <= other.started_at
        for one, other in pairwise(found)
    )


def test_of_a_key_with_limit_one_the_jobs_run_one_after_the_other(world: EngineWorld) -> None:
    jobs = [submit(world, SHORT, "deploy") for _ in range(4)]
    other = submit(world, SHORT, "other")
    wait_until(lambda: told(jobs[-1])[0] == "key_limit", 15, "the last one is told")
    assert told(jobs[-1])[1] == (
        "Waiting for its key deploy, of which no more than 1 may run at once."
    )
    for job in (*jobs, other):
        world.wait_for(job, "completed", 60)
    assert [attempt.job_id for attempt in runs(jobs)] == [job.pk for job in jobs]
    assert one_after_the_other(jobs)
    order = [attempt.job_id for attempt in runs([*jobs, other])]
    assert order.index(other.pk) < order.index(jobs[-1].pk), "another key waits for nobody"


def test_the_newest_is_cancelled_with_the_key_and_the_job_it_gave_way_to(
    world: EngineWorld,
) -> None:
    first = submit(world, LONG, "report", on_overflow="cancel_newest")
    world.wait_for(first, "running")
    second = submit(world, SHORT, "report", on_overflow="cancel_newest")
    world.wait_for(second, "cancelled")
    assert told(second) == ("cancelled", f"Cancelled by job {first.pk} of its key report.")
    assert world.state(first) == "running"
    event = Event.objects.get(subject_id=second.pk, type="job.cancelled")
    assert (event.actor_kind, event.actor_name) == (
        "scheduler",
        f"job {first.pk} of its key report",
    )
    job_cancel(SYSTEM, job_id=first.pk)
    world.wait_for(first, "cancelled")
    third = submit(world, SHORT, "report", on_overflow="cancel_newest")
    world.wait_for(third, "completed")


def test_the_running_one_is_stopped_for_the_newest(world: EngineWorld) -> None:
    old = submit(world, LONG, "preview", on_overflow="cancel_running")
    world.wait_for(old, "running")
    between = submit(world, LONG, "preview", on_overflow="cancel_running")
    newest = submit(world, SHORT, "preview", on_overflow="cancel_running")
    world.wait_for(newest, "completed", 60)
    for job in (old, between):
        world.wait_for(job, "cancelled")
        assert told(job)[1].endswith("of its key preview.")
    assert told(between)[1] == f"Cancelled by job {newest.pk} of its key preview."


def test_a_killed_engine_process_keeps_no_key_taken(
    world: EngineWorld, engine: EngineProcess
) -> None:
    jobs = [submit(world, SHORT, "nightly") for _ in range(3)]
    wait_until(lambda: runs(jobs), 20, "the first one runs")
    engine.kill()
    engine.start()
    for job in jobs:
        world.wait_for(job, "completed", 60)
    assert one_after_the_other(jobs)
    assert all(world.starts.once(attempt.uid) for attempt in runs(jobs))


def test_a_process_that_dies_while_one_job_gives_way_to_another_finishes_that_later(
    world: EngineWorld, engine: EngineProcess
) -> None:
    old = submit(world, LONG, "stage", on_overflow="cancel_running")
    world.wait_for(old, "running")
    newest = submit(world, SHORT, "stage", on_overflow="cancel_running")
    asked = Job.objects.filter(pk=old.pk, cancel_requested_at__isnull=False)
    wait_until(asked.exists, 15, "the old one is told to stop")
    engine.kill()
    engine.start()
    world.wait_for(old, "cancelled", 60)
    world.wait_for(newest, "completed", 60)
    assert one_after_the_other([old, newest])
