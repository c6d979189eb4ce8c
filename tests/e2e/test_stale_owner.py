"""An owner that is stopped in the middle of a call, and goes on after it was overtaken.

The fake driver's calls take as long as the job's script says, so that the stop meets the
very moment; two processes see one fake engine, and it counts how often a program began.
"""

from __future__ import annotations

import signal
from functools import partial

import pytest

from jobs.models import Attempt
from providers.driver import ProviderConfig
from providers.drivers.fake import FakeDriver
from providers.leases import provider_lease
from providers.models import Provider
from tests.support.engine_process import EngineProcess, EngineWorld
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.docker, pytest.mark.e2e]

TTL = 2


@pytest.fixture(scope="module")
def provider(world: EngineWorld) -> Provider:
    return Provider.objects.create(name="stage", kind="fake", cpu_millis=8000, memory_mb=8192)


@pytest.fixture(scope="module")
def engines(world: EngineWorld, provider: Provider) -> list[EngineProcess]:
    """Two processes that see the same fake engine."""
    found = [world.engine(name, machine="both", ttl=TTL) for name in ("one", "two")]
    for engine in found:
        engine.start()
    return found


def begun(world: EngineWorld, attempt: Attempt) -> int:
    """How often the attempt's program was begun, as the fake engine remembers."""
    data_dir = str(world.folder / "both")
    driver = FakeDriver(ProviderConfig("stage", world.instance, {}, data_dir))
    return driver.starts(str(attempt.uid))


def attempt_in(job: int, number: int, phase: str) -> bool:
    return Attempt.objects.filter(job=job, number=number, phase=phase).exists()


@pytest.mark.parametrize(("call", "phase"), [("create", "creating"), ("start", "starting")])
def test_a_call_that_goes_on_after_the_takeover_starts_nothing(
    world: EngineWorld, provider: Provider, engines: list[EngineProcess], call: str, phase: str
) -> None:
    lease = provider_lease(provider.pk)
    holder = wait_until(lambda: world.holder(lease), 20, "somebody drives the provider")
    pid = int(holder.split("/")[1])
    (stopped,) = [engine for engine in engines if engine.process.pid == pid]
    job = world.submit("duration=0.1", "out=ran%0A", f"delay={call}:3")
    wait_until(partial(attempt_in, job.pk, 1, phase), 20, f"its first attempt is {phase}")
    stopped.signal(signal.SIGSTOP)
    try:
        wait_until(
            partial(attempt_in, job.pk, 2, phase), 30, "the other has begun a second attempt"
        )
    finally:
        stopped.signal(signal.SIGCONT)
    world.wait_for(job, "completed", 30)
    wait_until(lambda: f"attempt 1 of job {job.pk} let go" in stopped.output(), 20, "it let go")
    first, second = Attempt.objects.filter(job=job).order_by("number")
    assert (first.outcome, begun(world, first)) == ("fenced", 0)
    assert (second.outcome, begun(world, second)) == ("completed", 1)
    assert world.log(job) == b"ran\n"
    assert stopped.process.poll() is None


@pytest.mark.parametrize("call", ["create", "start"])
def test_a_crash_in_the_middle_of_a_call_starts_nothing_twice(
    world: EngineWorld, provider: Provider, engines: list[EngineProcess], call: str
) -> None:
    """Its answer is lost besides: the next owner finds what is there, or nothing."""
    lease = provider_lease(provider.pk)
    phase = {"create": "creating", "start": "starting"}[call]
    job = world.submit("duration=0.1", "out=ran%0A", f"delay={call}:1", f"fault={call}:lost:1")
    wait_until(partial(attempt_in, job.pk, 1, phase), 20, f"its first attempt is {phase}")
    holder = world.holder(lease)
    (killed,) = [e for e in engines if e.process.pid == int(holder.split("/")[1])]
    killed.kill()
    try:
        world.wait_for(job, "completed", 40)
    finally:
        killed.start()
    for attempt in Attempt.objects.filter(job=job):
        assert begun(world, attempt) == (1 if attempt.outcome == "completed" else 0)
    attempt = world.last_attempt(job)
    assert (world.log(job), attempt.log_complete) == (b"ran\n", True), attempt.__dict__
