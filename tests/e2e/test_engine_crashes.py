"""kill -9, a polite end and a restart of the engine process, with containers at work."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator, Sequence
from functools import partial

import pytest
from django.utils import timezone

from jobs.models import Attempt, Job
from jobs.services import job_cancel
from jobs.states import TERMINAL
from projects.actor import SYSTEM
from providers.driver import Stream
from providers.leases import SCHEDULER
from tests.support.container_starts import containers_of, engine_client
from tests.support.engine_process import EngineProcess, EngineWorld
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.docker, pytest.mark.e2e]

LINES = 60
NUMBERED = (
    f"i=1; while [ $i -le {LINES} ]; do echo line $i; echo err $i >&2; i=$((i+1)); sleep 0.05; done"
)
OUT = b"".join(b"line %d\n" % n for n in range(1, LINES + 1))
ERR = b"".join(b"err %d\n" % n for n in range(1, LINES + 1))
QUICK = "echo begin; sleep 0.2; echo end"


@pytest.fixture(scope="module")
def engine(world: EngineWorld) -> Iterator[EngineProcess]:
    """The one engine process of this machine, restarted again and again."""
    world.provider()
    process = world.engine()
    yield process
    process.destroy()


def lines_stored(world: EngineWorld, job: Job) -> int:
    attempt = Attempt.objects.filter(job=job).order_by("-number").first()
    return attempt.log_lines if attempt else 0


def assert_whole(world: EngineWorld, jobs: Sequence[Job]) -> None:
    """Each completed at its first attempt, started once, its log whole on both streams."""
    for job in jobs:
        done = world.wait_for(job, "completed", 60)
        attempt = world.last_attempt(job)
        assert (done.exit_code, attempt.number, attempt.log_complete) == (0, 1, True)
        assert world.log(job) == OUT
        assert world.log(job, Stream.STDERR) == ERR
        assert world.starts.once(attempt.uid)


def test_running_jobs_outlive_their_engine_process_and_keep_their_whole_logs(
    world: EngineWorld, engine: EngineProcess
) -> None:
    engine.start()
    jobs = [world.submit(script=NUMBERED, resources={"cpu_cores": 0.3}) for _ in range(5)]
    failing = world.submit(script="sleep 2; echo last words; exit 3")
    for killed_at in (5, 40):
        wait_until(
            lambda at=killed_at: all(  # type: ignore[misc]
                lines_stored(world, job) >= at for job in jobs
            ),
            30,
            f"{killed_at} lines of each",
        )
        engine.kill()
        engine.start()
    assert_whole(world, jobs)
    assert world.wait_for(failing, "failed").exit_code == 3
    assert world.log(failing) == b"last words\n"


def test_a_job_that_ends_while_no_engine_process_lives_is_told_truly(
    world: EngineWorld, engine: EngineProcess
) -> None:
    """Its whole log too: all of it was written while nobody read."""
    engine.ensure()
    job = world.submit(script="echo first; sleep 1.5; echo last; exit 5")
    world.wait_for(job, "running")
    wait_until(lambda: lines_stored(world, job) == 1, 10, "its first line")
    engine.kill()
    attempt = world.last_attempt(job)
    assert attempt.handle is not None
    wait_until(partial(exited, attempt.handle["id"]), 15, "its container has ended")
    engine.start()
    done = world.wait_for(job, "failed")
    assert (done.reason, done.exit_code) == ("exit_code", 5)
    assert world.log(job) == b"first\nlast\n"
    assert world.starts.once(attempt.uid)


def exited(container: str) -> bool:
    client = engine_client()
    try:
        return not client.inspect_container(container)["State"]["Running"]
    finally:
        client.close()


def busy_or_over(jobs: Sequence[Job], phases: set[str], least: int) -> bool:
    """So many attempts are in these phases now, or there is nothing left to wait for."""
    ids = [job.pk for job in jobs]
    if Attempt.objects.filter(job__in=ids, phase__in=phases).count() >= least:
        return True
    return not Job.objects.filter(pk__in=ids).exclude(state__in=TERMINAL).exists()


@pytest.mark.parametrize("phases", [{"creating"}, {"starting"}])
def test_a_crash_around_create_and_start_starts_nothing_twice(
    world: EngineWorld, engine: EngineProcess, phases: set[str]
) -> None:
    """Killed in the middle of many starts, a few times over, at moments of chance."""
    chance = random.Random(sorted(phases)[0])
    engine.ensure()
    jobs = [world.submit(script=QUICK) for _ in range(10)]
    for _ in range(2):
        wait_until(partial(busy_or_over, jobs, phases, chance.randint(1, 3)), 30, "such a moment")
        engine.kill()
        engine.start()
    for job in jobs:
        world.wait_for(job, "completed", 60)
        assert world.log(job) == b"begin\nend\n"
    for attempt in Attempt.objects.filter(job__in=jobs):
        assert world.starts.of(attempt.uid) <= 1
        if attempt.outcome == "completed":
            assert world.starts.once(attempt.uid)
        else:
            assert (attempt.outcome, world.starts.of(attempt.uid)) == ("fenced", 0)
    assert Attempt.objects.filter(job__in=jobs, outcome="completed").count() == len(jobs)
    assert not Job.objects.filter(pk__in=[j.pk for j in jobs]).exclude(charged=0)


def test_a_polite_end_leaves_containers_running_and_the_next_start_adopts_them(
    world: EngineWorld, engine: EngineProcess
) -> None:
    engine.ensure()
    jobs = [world.submit(script=NUMBERED, resources={"cpu_cores": 0.3}) for _ in range(3)]
    wait_until(lambda: all(lines_stored(world, job) >= 5 for job in jobs), 30, "5 lines of each")
    assert engine.stop() == 0
    assert world.holder(SCHEDULER) == ""
    wait_until(lambda: world.connections() == 0, 5, "the server to end their sessions")
    assert len(containers_of(world.instance)) >= 3
    assert {world.state(job) for job in jobs} == {"running"}
    engine.start()
    assert_whole(world, jobs)


def test_a_second_signal_ends_the_process_at_once(
    world: EngineWorld, engine: EngineProcess
) -> None:
    engine.ensure()
    engine.signal(signal.SIGSTOP)  # both signals are waiting when it goes on
    engine.signal(signal.SIGTERM)
    engine.signal(signal.SIGINT)
    engine.signal(signal.SIGCONT)
    assert engine.process.wait(10) in (0, 128 + signal.SIGTERM, 128 + signal.SIGINT)


def test_a_cancel_asked_for_while_no_engine_process_lives_is_kept(
    world: EngineWorld, engine: EngineProcess
) -> None:
    engine.ensure()
    job = world.submit(script="echo up; sleep 60")
    world.wait_for(job, "running")
    wait_until(lambda: lines_stored(world, job) == 1, 10, "its line")
    engine.kill()
    job_cancel(SYSTEM, job_id=job.pk)
    engine.start()
    world.wait_for(job, "cancelled")
    assert world.log(job) == b"up\n"


def test_a_run_time_that_passed_while_no_engine_process_lived_ends_the_job(
    world: EngineWorld, engine: EngineProcess
) -> None:
    engine.ensure()
    job = world.submit("sleep", "60", resources={"timeout_seconds": 2})
    world.wait_for(job, "running")
    engine.kill()
    attempt = world.last_attempt(job)
    wait_until(lambda: age(attempt) > 2.2, 10, "its time is over")
    engine.start()
    assert world.wait_for(job, "failed").reason == "timeout"


def age(attempt: Attempt) -> float:
    assert attempt.started_at is not None
    return (timezone.now() - attempt.started_at).total_seconds()


def test_nothing_is_left_on_the_engine_at_the_end(
    world: EngineWorld, engine: EngineProcess
) -> None:
    assert world.starts.most() == 1
    wait_until(lambda: not containers_of(world.instance), 40, "all containers are removed")
