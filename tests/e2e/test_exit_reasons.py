"""How a real container runs and ends; every way of ending is in test_exit_truth.py."""

from __future__ import annotations

from itertools import pairwise

import pytest

from jobs import transitions
from jobs.acts import job_release
from jobs.models import Attempt, Job
from jobs.reasons import reason_text
from jobs.services import job_cancel
from projects.actor import SYSTEM
from projects.models import Event
from providers.driver import Stream
from tests.support.container_starts import containers_of
from tests.support.engine_process import EngineWorld
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.docker, pytest.mark.e2e]


@pytest.fixture(scope="module", autouse=True)
def _running(world: EngineWorld) -> None:
    """One engine process and one provider for the whole file."""
    world.provider()
    world.engine().start()


def ended(world: EngineWorld, job: Job) -> tuple[str, str, int | None, str]:
    """State, reason, exit code and words of a job that must end now."""
    now = world.wait_for_end(job)
    return now.state, now.reason, now.exit_code, reason_text(now.reason, now.reason_detail)


def test_a_program_that_works_has_completed_with_its_times(world: EngineWorld) -> None:
    job = world.submit(script="echo out; echo err >&2")
    assert ended(world, job)[:3] == ("completed", "succeeded", 0)
    attempt = world.last_attempt(job)
    assert attempt.started_at is not None
    assert attempt.finished_at is not None
    assert attempt.finished_at >= attempt.started_at
    assert attempt.log_complete
    assert (world.log(job), world.log(job, Stream.STDERR)) == (b"out\n", b"err\n")


def test_a_cancel_asks_the_program_first_and_its_own_way_out_is_kept(world: EngineWorld) -> None:
    job = world.submit(
        script="trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.1; done"
    )
    world.wait_for(job, "running")
    wait_until(lambda: world.log(job) == b"ready\n", 10, "it is ready")
    job_cancel(SYSTEM, job_id=job.pk)
    assert ended(world, job)[:3] == ("cancelled", "cancelled", 7)
    assert world.log(job) == b"ready\nbye\n"


def test_a_program_that_ignores_the_stop_is_killed_after_its_grace(world: EngineWorld) -> None:
    stubborn = "trap '' TERM; echo ready; while :; do sleep 0.1; done"
    jobs = [world.submit(script=stubborn) for _ in range(6)]
    for job in jobs:
        world.wait_for(job, "running")
    ready = [b"ready\n"] * len(jobs)
    wait_until(lambda: [world.log(job) for job in jobs] == ready, 10, "all are ready")
    transitions.request_cancel([job.pk for job in jobs], SYSTEM)
    # all of them after one grace of 10 s: they do not queue up behind each other
    for job in jobs:
        assert world.wait_for(job, "cancelled", 16).exit_code == 137
    first, last = (
        min(world.last_attempt(job).finished_at for job in jobs),  # type: ignore[type-var]
        max(world.last_attempt(job).finished_at for job in jobs),  # type: ignore[type-var]
    )
    assert first is not None
    assert last is not None
    assert (last - first).total_seconds() < 5


def test_a_retry_is_a_new_attempt_after_its_wait(world: EngineWorld) -> None:
    job = world.submit(script="echo once; exit 4", retry={"max_attempts": 3, "backoff_seconds": 1})
    assert ended(world, job)[:3] == ("failed", "exit_code", 4)
    attempts = list(Attempt.objects.filter(job=job).order_by("number"))
    assert [a.number for a in attempts] == [1, 2, 3]
    assert {(a.outcome, a.reason, a.exit_code) for a in attempts} == {("failed", "exit_code", 4)}
    waits = [
        (after.placed_at - before.ended_at).total_seconds()  # type: ignore[operator]
        for before, after in pairwise(attempts)
    ]
    assert waits[0] >= 1
    assert waits[1] >= 2
    assert all(world.starts.once(a.uid) for a in attempts)
    assert Event.objects.filter(subject_id=job.pk, type="job.retried").count() == 2


def test_a_held_job_waits_until_it_is_released(world: EngineWorld) -> None:
    held, free = world.submit("true", hold=True), world.submit("true")
    world.wait_for(free, "completed")
    assert (world.state(held), Job.objects.get(pk=held.pk).reason) == ("pending", "held")
    job_release(SYSTEM, job_id=held.pk)
    world.wait_for(held, "completed")


HOSTILE = rb"""
printf 'nul \000 byte\n'
printf 'broken \377\376 utf \303\n'
printf '\033[31mred\033[0m \033]0;title\007 \033[2J\n'
printf '<script>alert(1)</script>\n'
printf 'no newline at the end of stderr' >&2
head -c 1048576 /dev/zero | tr '\000' 'x'
printf '\nlast without newline'
""".decode()


def test_hostile_output_is_stored_byte_for_byte(world: EngineWorld) -> None:
    job = world.submit(script=HOSTILE)
    world.wait_for(job, "completed")
    assert world.log(job) == (
        b"nul \x00 byte\nbroken \xff\xfe utf \xc3\n\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b[2J\n"
        b"<script>alert(1)</script>\n" + b"x" * 1048576 + b"\nlast without newline"
    )
    assert world.log(job, Stream.STDERR) == b"no newline at the end of stderr"
    attempt = world.last_attempt(job)
    assert attempt.log_complete
    assert attempt.log_stdout_bytes == len(world.log(job))


def test_many_jobs_at_once_take_no_more_than_six_database_connections(world: EngineWorld) -> None:
    most = 0

    def watch() -> bool:
        nonlocal most
        most = max(most, world.connections())
        return all(world.state(job) == "completed" for job in jobs)

    jobs = [world.submit(script=f"echo {n}; sleep 1") for n in range(24)]
    wait_until(watch, 60, "all have completed")
    assert 1 <= most <= 6
    assert [world.log(job) for job in jobs] == [b"%d\n" % n for n in range(24)]


def test_nothing_was_started_twice_and_no_container_is_left(world: EngineWorld) -> None:
    assert world.starts.most() == 1
    wait_until(lambda: not containers_of(world.instance), 20, "all containers are removed")
