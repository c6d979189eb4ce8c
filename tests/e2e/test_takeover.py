"""Two engine processes that share no files: one stops for longer than its lease."""

from __future__ import annotations

import signal

import pytest

from jobs.models import Attempt, Job
from providers.leases import SCHEDULER, provider_lease
from providers.models import Provider
from tests.support.engine_process import EngineProcess, EngineWorld
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.docker, pytest.mark.e2e]

TTL = 2
LINES = 80
NUMBERED = f"i=1; while [ $i -le {LINES} ]; do echo line $i; i=$((i+1)); sleep 0.05; done"
OUT = b"".join(b"line %d\n" % n for n in range(1, LINES + 1))


@pytest.fixture(scope="module")
def provider(world: EngineWorld) -> Provider:
    return world.provider()


@pytest.fixture(scope="module")
def engines(world: EngineWorld, provider: Provider) -> list[EngineProcess]:
    """Two processes on two machines, as far as they can tell."""
    found = [world.engine(name, machine=name, ttl=TTL) for name in ("one", "two")]
    for engine in found:
        engine.start()
    return found


def owner(
    world: EngineWorld, provider: Provider, engines: list[EngineProcess]
) -> tuple[EngineProcess, EngineProcess]:
    """Who drives the provider now, and who does not."""
    lease = provider_lease(provider.pk)
    holder = wait_until(lambda: world.holder(lease), 20, "somebody drives the provider")
    first, second = engines
    return (first, second) if pid_of(holder) == first.process.pid else (second, first)


def pid_of(holder: str) -> int:
    return int(holder.split("/")[1]) if holder else 0


def lines_stored(job: Job) -> int:
    return sum(Attempt.objects.filter(job=job).values_list("log_lines", flat=True))


def test_a_stopped_owner_is_overtaken_and_writes_nothing_when_it_goes_on(
    world: EngineWorld, provider: Provider, engines: list[EngineProcess]
) -> None:
    lease = provider_lease(provider.pk)
    stopped, taker = owner(world, provider, engines)
    jobs = [world.submit(script=NUMBERED, resources={"cpu_cores": 0.3}) for _ in range(4)]
    wait_until(lambda: all(lines_stored(job) >= 5 for job in jobs), 30, "5 lines of each")
    stopped.signal(signal.SIGSTOP)
    try:
        wait_until(
            lambda: pid_of(world.holder(lease)) == taker.process.pid, 20, "the other has taken over"
        )
        wait_until(lambda: all(lines_stored(job) >= 40 for job in jobs), 30, "the logs go on")
    finally:
        stopped.signal(signal.SIGCONT)
    for job in jobs:
        world.wait_for(job, "completed", 40)
        attempt = world.last_attempt(job)
        assert (attempt.number, attempt.log_complete) == (1, True)
        assert world.log(job) == OUT
        assert world.starts.once(attempt.uid)
    wait_until(lambda: "given up" in stopped.output(), 10, "it knows that it was overtaken")
    assert stopped.process.poll() is None


def test_an_owner_stopped_while_it_starts_jobs_leads_to_no_second_start(
    world: EngineWorld, provider: Provider, engines: list[EngineProcess]
) -> None:
    for phase in ("creating", "starting"):
        lease = provider_lease(provider.pk)
        stopped, taker = owner(world, provider, engines)
        jobs = [world.submit(script="echo begin; sleep 0.1; echo end") for _ in range(8)]
        ids = [job.pk for job in jobs]
        wait_until(
            lambda ids=ids, phase=phase: (  # type: ignore[misc]
                Attempt.objects.filter(job__in=ids, phase__in=[phase, "running", "ended"]).exists()
            ),
            30,
            f"an attempt in {phase}",
        )
        stopped.signal(signal.SIGSTOP)
        try:
            wait_until(
                lambda lease=lease, taker=taker: (  # type: ignore[misc]
                    pid_of(world.holder(lease)) == taker.process.pid
                ),
                20,
                "the other has taken over",
            )
            wait_until(
                lambda ids=ids: Attempt.objects.filter(  # type: ignore[misc]
                    job__in=ids, outcome="completed"
                ).exists(),
                30,
                "the other has finished one",
            )
        finally:
            stopped.signal(signal.SIGCONT)
        for job in jobs:
            world.wait_for(job, "completed", 40)
            assert world.log(job) == b"begin\nend\n"
        for attempt in Attempt.objects.filter(job__in=ids):
            if attempt.outcome == "completed":
                assert world.starts.once(attempt.uid)
            else:
                assert (attempt.outcome, world.starts.of(attempt.uid)) == ("fenced", 0)


def test_the_scheduler_is_one_of_them_and_the_other_takes_its_place_when_it_ends(
    world: EngineWorld, provider: Provider, engines: list[EngineProcess]
) -> None:
    holder = pid_of(str(wait_until(lambda: world.holder(SCHEDULER), 10, "somebody plans")))
    (planner,) = [engine for engine in engines if engine.process.pid == holder]
    (other,) = [engine for engine in engines if engine is not planner]
    assert planner.stop() == 0
    wait_until(
        lambda: pid_of(world.holder(SCHEDULER)) == other.process.pid,
        TTL,
        "the other plans at once, without waiting for the lease to run out",
    )
    job = world.submit("true")
    world.wait_for(job, "completed")
