"""A Docker engine that dies, hangs and comes back, while the engine process lives on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.models import Attempt, Job
from jobs.reasons import reason_text
from jobs.services import job_cancel
from projects.actor import SYSTEM
from projects.models import Event
from providers.drivers.docker.endpoint import find_endpoint
from providers.drivers.docker.options import DockerOptions
from providers.models import HealthState, Provider
from providers.services import provider_create, provider_update
from tests.support.engine_process import EngineProcess, EngineWorld
from tests.support.fault_proxy import FaultProxy
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.docker, pytest.mark.e2e]

LINES = 80
NUMBERED = f"i=1; while [ $i -le {LINES} ]; do echo line $i; i=$((i+1)); sleep 0.05; done"
OUT = b"".join(b"line %d\n" % n for n in range(1, LINES + 1))


@pytest.fixture(scope="module")
def proxy(world: EngineWorld) -> Iterator[FaultProxy]:
    """What stands between the sick provider and the real engine."""
    socket = find_endpoint(DockerOptions()).socket_path
    assert socket, "the suite's engine listens on a unix socket"
    with FaultProxy(Path(world.folder) / "docker.sock", socket) as made:
        yield made


@pytest.fixture(scope="module")
def sick(world: EngineWorld, proxy: FaultProxy) -> Provider:
    options = {"base_url": f"unix://{proxy.address}", "query_seconds": 2.0, "log_idle_seconds": 2.0}
    return world.provider("sick", options=options)


@pytest.fixture(scope="module")
def engine(world: EngineWorld, sick: Provider) -> EngineProcess:
    world.provider("well")
    process = world.engine()
    process.start()
    return process


def health(provider: Provider) -> Provider:
    return Provider.objects.get(pk=provider.pk)


def lines_stored(job: Job) -> int:
    return sum(Attempt.objects.filter(job=job).values_list("log_lines", flat=True))


@pytest.mark.parametrize("fault", ["cut", "hang"])
def test_a_dead_engine_is_told_of_and_comes_back_without_a_restart(
    world: EngineWorld, engine: EngineProcess, proxy: FaultProxy, sick: Provider, fault: str
) -> None:
    long = world.submit(script=NUMBERED, provider="sick", resources={"cpu_cores": 0.3})
    wait_until(lambda: lines_stored(long) >= 5, 30, "5 lines of the running job")

    getattr(proxy, fault)()
    waiting = world.submit("echo", "at last", provider="sick")
    wait_until(
        lambda: health(sick).health == HealthState.UNREACHABLE, 20, "the provider is unreachable"
    )
    assert health(sick).last_error
    assert health(sick).unreachable_since is not None
    told = wait_until(
        lambda: (
            Job.objects.select_related("queue_class")
            .filter(pk=waiting.pk, queue_class__reason="provider_down")
            .first()
        ),
        10,
        "the job waits with a reason",
    )
    assert told is not None
    words = reason_text(*told.told)
    assert "sick" in words, "which provider"
    assert "unreachable" in words
    # what runs there is not ended, only marked
    wait_until(
        lambda: Attempt.objects.filter(job=long, not_seen_since__isnull=False).exists(),
        10,
        "the running job is marked as not seen",
    )
    assert world.state(long) == "running"
    # and others are not disturbed
    world.wait_for(world.submit("true", provider="well"), "completed", 10)

    proxy.mend()
    wait_until(lambda: health(sick).health == HealthState.HEALTHY, 30, "it is healthy again")
    assert world.wait_for(long, "completed", 40).exit_code == 0
    world.wait_for(waiting, "completed", 40)
    assert world.log(long) == OUT
    assert world.log(waiting) == b"at last\n"
    attempt = world.last_attempt(long)
    assert (attempt.number, attempt.log_complete, attempt.not_seen_since) == (1, True, None)
    assert world.starts.once(attempt.uid)
    assert world.starts.once(world.last_attempt(waiting).uid)
    assert engine.process.poll() is None
    assert (health(sick).last_error, health(sick).unreachable_since) == ("", None)
    moves = Event.objects.filter(subject_kind="provider", subject_id=sick.pk).order_by("-id")
    assert [e.target for e in moves[:2]] == ["healthy", "unreachable"]


def test_a_cancel_asked_for_while_the_engine_is_dead_is_done_when_it_is_back(
    world: EngineWorld, engine: EngineProcess, proxy: FaultProxy, sick: Provider
) -> None:
    job = world.submit(script="echo up; sleep 60", provider="sick")
    wait_until(lambda: lines_stored(job) == 1, 30, "its line")
    proxy.cut()
    wait_until(lambda: health(sick).health == HealthState.UNREACHABLE, 20, "unreachable")
    job_cancel(SYSTEM, job_id=job.pk)
    proxy.mend()
    assert world.wait_for(job, "cancelled", 40).reason == "cancelled"
    assert world.log(job) == b"up\n"


def test_calls_that_break_off_in_the_middle_of_starts_start_nothing_twice(
    world: EngineWorld, engine: EngineProcess, proxy: FaultProxy, sick: Provider
) -> None:
    jobs = [world.submit(script="echo begin; echo end", provider="sick") for _ in range(10)]
    ids = [job.pk for job in jobs]
    for done in (1, 4):
        wait_until(
            lambda done=done: (  # type: ignore[misc]
                Attempt.objects.filter(job__in=ids, phase__in=["running", "ended"]).count() >= done
            ),
            30,
            f"{done} have begun",
        )
        proxy.cut()
        wait_until(lambda: health(sick).health == HealthState.UNREACHABLE, 20, "unreachable")
        proxy.mend()
    for job in jobs:
        world.wait_for(job, "completed", 60)
        assert world.log(job) == b"begin\nend\n"
    for attempt in Attempt.objects.filter(job__in=ids):
        if attempt.outcome == "completed":
            assert world.starts.once(attempt.uid)
        else:
            assert (attempt.outcome, world.starts.of(attempt.uid)) == ("fenced", 0)


def test_a_provider_whose_address_was_wrong_works_once_it_is_edited(
    world: EngineWorld, engine: EngineProcess
) -> None:
    wrong = {"base_url": "unix:///nonexistent/docker.sock"}
    provider = provider_create(SYSTEM, name="new", kind="docker", options=wrong, cpu_millis=4000)
    wait_until(lambda: health(provider).health == HealthState.UNREACHABLE, 20, "the error is shown")
    provider_update(SYSTEM, provider.pk, {"options": {}})
    wait_until(lambda: health(provider).health == HealthState.HEALTHY, 20, "it is healthy")
    world.wait_for(world.submit("true", provider="new"), "completed")


def test_a_provider_of_which_no_driver_can_be_made_says_why_and_works_once_it_is_edited(
    world: EngineWorld, engine: EngineProcess
) -> None:
    provider = world.provider("odd", options={"tls_ca": "/nonexistent/ca.pem",
                                              "base_url": "https://127.0.0.1:9"})  # fmt: skip
    wait_until(lambda: health(provider).health == HealthState.UNREACHABLE, 20, "the error is shown")
    assert health(provider).last_error
    provider_update(SYSTEM, provider.pk, {"options": {}})
    wait_until(lambda: health(provider).health == HealthState.HEALTHY, 20, "it is healthy")
    world.wait_for(world.submit("true", provider="odd"), "completed")
