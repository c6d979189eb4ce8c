"""What people do to an engine, its containers and its provider while jobs run there."""

from __future__ import annotations

import signal
import statistics
import time
from contextlib import closing

from jobs.models import Attempt, Job
from jobs.reasons import reason_text
from projects.actor import SYSTEM
from projects.errors import Conflict
from providers.models import Mode, Provider
from providers.services import provider_delete, provider_set_mode, provider_update
from tests.chaos.campaign import Scenario, Trial, Verdict
from tests.chaos.sick_engine import BACK, LASTING, ONCE, SickEngine, sick_engine
from tests.support.waiting import wait_until

RESTARTED = (("restarted_outside",),)


def container_restarted(trial: Trial) -> Verdict:
    """`docker restart` of a job's container: the program runs once more, which is no attempt
    of ours. It is stopped, and the job says so. A restart is a stop and a start, and who looks
    between the two sees a stop: the engine process looks at neither before both are done."""
    with sick_engine(trial.seed) as on:
        job = on.submit("restarted by hand", LASTING, RESTARTED, starts=2)
        on.submit("left alone", LASTING, ONCE)
        on.wait_until_all_run()
        handle = on.attempts(job)[0].handle
        assert handle is not None
        with closing(on.engine.client()) as client:
            on.process.signal(signal.SIGSTOP)
            client.restart(handle["id"], timeout=1)
            on.process.signal(signal.SIGCONT)
        on.world.wait_for_end(job, 40)
        on.tell(BACK)
        return on.check()


def provider_changed(trial: Trial) -> Verdict:
    """A provider is edited, drained, deactivated and asked to be deleted under its jobs: what
    runs goes on, and is started once."""
    with sick_engine(trial.seed) as on:
        for _ in range(3):
            on.submit("lasting", LASTING, ONCE)
        on.wait_until_all_run()
        provider = on.provider.pk
        broken = []
        for seconds in (9.0, 8.0):
            options = {"base_url": on.engine.url, "query_seconds": seconds}
            provider_update(SYSTEM, provider, {"options": options})
            on.wait_until_seen_again()
        for mode in (Mode.DRAINING, Mode.INACTIVE):
            provider_set_mode(SYSTEM, provider, mode)
        try:
            provider_delete(SYSTEM, provider)
            broken.append("a provider was deleted while jobs ran on it")
        except Conflict:
            pass
        late = on.submit("submitted to an inactive one", LASTING, ONCE)
        on.tell(BACK)
        for one in on.expected[:-1]:
            on.world.wait_for_end(one.job, 40)
        if on.world.state(late) != "pending":
            broken.append("an inactive provider took a job")
        provider_set_mode(SYSTEM, provider, Mode.ACTIVE)
        verdict = on.check()
        return Verdict(verdict.figures, broken + verdict.broken)


def edited_while_hung(trial: Trial) -> Verdict:
    """An operator edits the provider whose engine hangs; a neighbour's jobs start as ever."""
    with sick_engine(trial.seed) as on:
        on.world.provider("well", slots=4)
        for _ in range(3):
            on.submit("lasting", LASTING, ONCE)
        on.wait_until_all_run()
        on.engine.hang()
        slowest = 0.0
        for seconds in (9.0, 8.0, 7.0):
            options = {"base_url": on.engine.url, "query_seconds": seconds}
            provider_update(SYSTEM, on.provider.pk, {"options": options})
            begun = time.monotonic()
            on.world.wait_for_end(on.world.submit("true", provider="well"), 20)
            slowest = max(slowest, time.monotonic() - begun)
        on.engine.go_on()
        on.tell(BACK)
        return on.check(**{"longest job of the neighbour s": round(slowest, 2)})


def disk_full(trial: Trial) -> Verdict:
    """The engine's disk is full: a job goes back to the queue and says why, and runs when
    there is room again."""
    with sick_engine(trial.seed, disk_mib=96) as on:
        on.engine.fill_disk()
        job = on.submit("for a full disk", LASTING, ONCE)

        def told() -> str:
            now = Job.objects.get(pk=job.pk)
            return reason_text(now.reason, now.reason_detail) if now.state == "pending" else ""

        wait_until(lambda: "no space left on device" in told(), 30, "the job says why it waits")
        on.engine.free_disk()
        on.tell(BACK)
        verdict = on.check()
        if any(on.attempts(job)[0].pk < a.pk for a in Attempt.objects.filter(job=job)):
            verdict.broken.append("it was tried again after it had run")
        return verdict


def neighbour(trial: Trial, *, rounds: int = 6, starts: int = 25) -> Verdict:
    """Starts on a healthy provider, by turns while another one in the same process hangs and
    while it does not. The share is told in percent."""
    with sick_engine(trial.seed) as on:
        Provider.objects.create(name="well", kind="fake", cpu_millis=64_000, memory_mb=65_536)
        for _ in range(8):
            on.submit("lasting", LASTING, ONCE)
        on.wait_until_all_run()
        took: dict[bool, list[float]] = {False: [], True: []}
        _starts(on, 10)
        for turn in range(2 * rounds):
            hung = turn % 2 == 1
            if hung:
                on.engine.hang()
            took[hung] += _starts(on, starts)
            if hung:
                on.engine.go_on()
                on.wait_until_seen_again()
        on.tell(BACK)
        p95 = {hung: _p95(times) for hung, times in took.items()}
        share = 100 * (p95[True] / p95[False] - 1)
        return on.check(
            **{
                "starts": 2.0 * rounds * starts,
                "longest p95 alone ms": round(1000 * p95[False], 1),
                "longest p95 beside a hang ms": round(1000 * p95[True], 1),
                "longest difference of p95 %": round(share, 1),
            }
        )


def _starts(on: SickEngine, count: int) -> list[float]:
    """Seconds from a job's acceptance to the start of its program, one job after the other."""
    jobs = []
    for _ in range(count):
        jobs.append(on.world.submit("duration=0.01", provider="well"))
        on.world.wait_for_end(jobs[-1], 20)
    last = {job.pk: on.world.last_attempt(job) for job in jobs}
    stamps = [(job.created_at, last[job.pk].running_at) for job in jobs]
    return [(began - asked).total_seconds() for asked, began in stamps if began is not None]


def _p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1]


SCENARIOS = [
    Scenario("engine.neighbour", "docker", 3, neighbour),
    Scenario("engine.container-restarted", "docker", 3, container_restarted),
    Scenario("engine.provider-changed", "docker", 3, provider_changed),
    Scenario("engine.edited-while-hung", "docker", 3, edited_while_hung),
    Scenario("engine.disk-full", "docker", 3, disk_full),
]
