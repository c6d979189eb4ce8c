"""What recovery decided reads as a story on the job, with real processes and containers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.models import Attempt, Job
from jobs.reasons import reason_text
from jobs.services import job_cancel, job_force_finish
from projects.actor import SYSTEM
from projects.models import Event
from providers.drivers.docker.endpoint import find_endpoint
from providers.drivers.docker.options import DockerOptions
from providers.models import Provider
from tests.support.container_starts import containers_of
from tests.support.engine_process import EngineProcess, EngineWorld
from tests.support.fault_proxy import FaultProxy
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.docker, pytest.mark.e2e]


@pytest.fixture(scope="module")
def proxy(world: EngineWorld) -> Iterator[FaultProxy]:
    """What stands between the provider and the real engine."""
    socket = find_endpoint(DockerOptions()).socket_path
    assert socket, "the suite's engine listens on a unix socket"
    with FaultProxy(Path(world.folder) / "docker.sock", socket) as made:
        yield made


@pytest.fixture(scope="module")
def provider(world: EngineWorld, proxy: FaultProxy) -> Provider:
    options = {"base_url": f"unix://{proxy.address}", "query_seconds": 2.0, "log_idle_seconds": 2.0}
    return world.provider("sick", options=options)


@pytest.fixture(scope="module")
def engine(world: EngineWorld, provider: Provider) -> EngineProcess:
    process = world.engine()
    process.start()
    return process


def story(job: Job) -> list[str]:
    """The words of what recovery noted, oldest first."""
    codes = ["attempt.adopted", "attempt.not_seen", "attempt.seen_again", "attempt.log_gap"]
    found = Event.objects.filter(subject_kind="job", subject_id=job.pk, type__in=codes)
    return [reason_text(event.reason, event.detail) for event in found.order_by("pk")]


def lines_stored(job: Job) -> int:
    return sum(Attempt.objects.filter(job=job).values_list("log_lines", flat=True))


def running(world: EngineWorld, script: str) -> Job:
    job = world.submit(script=script, provider="sick")
    wait_until(lambda: lines_stored(job) >= 1, 30, "its first line")
    return job


def test_a_killed_engine_process_and_the_next_one_are_told_on_the_job(
    world: EngineWorld, engine: EngineProcess
) -> None:
    job = running(world, "echo up; sleep 600")
    engine.kill()
    engine.start()
    wait_until(lambda: story(job), 30, "it is taken up")
    job_cancel(SYSTEM, job_id=job.pk)
    world.wait_for(job, "cancelled", 30)
    (told,) = story(job)
    assert told.startswith("Taken up by the engine process ")
    assert f"/{engine.process.pid}/" in told
    assert told.endswith(": its program runs.")


def test_what_was_force_finished_out_of_sight_is_removed_when_the_engine_is_back(
    world: EngineWorld, engine: EngineProcess, proxy: FaultProxy
) -> None:
    job = running(world, "echo up; sleep 600")
    attempt = world.last_attempt(job)
    proxy.cut()
    unseen = Attempt.objects.filter(pk=attempt.pk, not_seen_since__isnull=False)
    wait_until(unseen.exists, 30, "it is out of sight")
    job_force_finish(SYSTEM, job_id=job.pk)
    ended = world.wait_for(job, "failed")
    assert ended.reason == "provider_lost"
    assert containers_of(world.instance), "its program runs on"
    proxy.mend()
    removed = Attempt.objects.filter(pk=attempt.pk, removed_at__isnull=False)
    wait_until(removed.exists, 60, "its container is removed")
    assert containers_of(world.instance) == []
    assert world.state(job) == "failed"
    assert [words.split(":")[0] for words in story(job)] == [
        "Its provider does not answer, so it may still run there",
        "Its log is not complete",
    ]
    world.wait_for(world.submit("true", provider="sick"), "completed", 30)
