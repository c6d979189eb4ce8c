"""SIGSTOP of an owner for longer than its lease, SIGCONT after the takeover: what it had
under way must start nothing a second time and write nothing."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

from django.db import connection

from jobs.models import Attempt
from orchestrator.loop.crash_points import POINTS
from providers.leases import SCHEDULER, provider_lease
from providers.models import Provider
from tests.chaos.campaign import Scenario, Trial, Verdict
from tests.chaos.ground import ground
from tests.chaos.oracle.asked import Asked, Kind
from tests.chaos.oracle.checker import Checker
from tests.chaos.oracle.witnesses import FakeEngines
from tests.chaos.oracle.writers import Writers, writers
from tests.chaos.scenarios.crashes import DIE_SECONDS, LEFT_BY, MOST_PASSES, PASSES, die
from tests.chaos.stage import TTL, stage
from tests.support.engine_process import EngineProcess, EngineWorld
from tests.support.waiting import wait_until

STOPS = 5
"""Stops in one trial: starting the processes costs more than stopping them."""
TAKE_SECONDS = 60.0
FAKES = 20
JOBS = 40


def stop_docker(trial: Trial, *, stops: int = STOPS) -> Verdict:
    """Two processes on two machines and one Docker provider."""
    at = ground()
    with (
        stage(trial.seed) as on,
        writers(at.data_dir, at.server_url, on.world.database_url) as seen,
    ):
        pair = [_engine(on.world, name, machine=name, writers=seen) for name in ("one", "two")]
        leases = [provider_lease(on.provider.pk)]
        lost = stop_owners(on.world, pair, leases, on.rng, stops, on.submit)
        on.wait_for_end()
        return with_writers(on.check(stops=stops), seen, lost)


def stop_at_points(trial: Trial) -> Verdict:
    """A process stops itself at one crash point after the other (as if its machine were
    suspended just there) and goes on after the other process has taken over."""
    at, points = ground(), list(POINTS)
    point = points[trial.number % len(points)]
    with (
        stage(trial.seed) as on,
        writers(at.data_dir, at.server_url, on.world.database_url) as seen,
    ):
        on.submit()
        if point in LEFT_BY:
            die(on, "before", on.rng.choice(LEFT_BY[point]))
        passes = on.rng.randint(1, MOST_PASSES.get(point, PASSES))
        stops = {"GANTRY_CRASH_AT": f"{point}:{passes}:stop"}
        one = _engine(on.world, "one", machine="one", writers=seen, **stops)
        two = _engine(on.world, "two", machine="two", writers=seen)
        one.launch()
        try:
            on.wait_for(lambda: stopped(one), DIE_SECONDS, f"a stop at {point}:{passes}")
            two.start()
            names = [provider_lease(on.provider.pk), SCHEDULER]
            on.wait_for(lambda: held_by(two, names), TAKE_SECONDS, "the other took over")
            pause(on.rng.uniform(0, 1.5))
        finally:
            one.signal(signal.SIGCONT)
        on.wait_for_end()
        lost = [f"{p.name} ended by itself" for p in (one, two) if p.process.poll() is not None]
        return with_writers(on.check(stops=1), seen, lost)


def stopped(process: EngineProcess) -> bool:
    """True while the process is stopped by a signal."""
    stat = Path(f"/proc/{process.process.pid}/stat").read_text()
    return stat.rpartition(")")[2].split()[0] == "T"


def stop_fake(trial: Trial, *, stops: int = STOPS, jobs: int = JOBS) -> Verdict:
    """Two processes that see the same twenty fake engines, whose calls take their time."""
    at = ground()
    rng = random.Random(trial.seed)
    with (
        stage(trial.seed) as on,
        writers(at.data_dir, at.server_url, on.world.database_url) as seen,
    ):
        Provider.objects.filter(pk=on.provider.pk).update(mode="inactive")
        names = [f"fake-{n}" for n in range(FAKES)]
        fakes = [
            Provider.objects.create(name=name, kind="fake", cpu_millis=8000, memory_mb=8192)
            for name in names
        ]
        pair = [_engine(on.world, name, machine="both", writers=seen) for name in ("one", "two")]
        asked: list[Asked] = []

        def more() -> None:
            for _ in range(jobs // stops):
                asked.append(submit_fake(on.world, rng))

        leases = [provider_lease(fake.pk) for fake in fakes]
        lost = stop_owners(on.world, pair, leases, rng, stops, more)
        on.asked = asked
        on.wait_for_end()
        witness = FakeEngines(on.world.instance, on.world.folder / "both", names)
        of_asked = Attempt.objects.filter(job__in=[one.job for one in asked])
        witness.uids = [str(uid) for uid in of_asked.values_list("uid", flat=True)]
        checker = Checker([witness], None, list)
        checker.figures |= {"stops": stops}
        return with_writers(checker.check(asked), seen, lost)


def submit_fake(world: EngineWorld, rng: random.Random) -> Asked:
    """A job whose create and start take a while, sometimes longer than a lease."""
    kind = rng.choice([Kind.WHOLE, Kind.WHOLE, Kind.WHOLE, Kind.FAILING])
    words = [f"duration={rng.uniform(0.1, 3):.2f}", "lines=5"]
    for call in ("create", "start"):
        if rng.random() < 0.5:
            words.append(f"delay={call}:{rng.uniform(0.05, 2):.2f}")
    if kind is Kind.FAILING:
        words.append("exit=3")
        retry = {"max_attempts": 2, "backoff_seconds": 0}
        return Asked(world.submit(*words, retry=retry).pk, kind)
    return Asked(world.submit(*words).pk, kind)


def stop_owners(
    world: EngineWorld,
    pair: list[EngineProcess],
    leases: list[str],
    rng: random.Random,
    stops: int,
    more: Callable[[], None],
) -> list[str]:
    """Stop the owner of all these leases so often, each time until the other has them all.
    What went wrong, in words."""
    for process in pair:
        process.start()
    owner, other = pair
    hold_all(world, owner, other, leases)
    for _ in range(stops):
        more()
        pause(rng.uniform(0, 1.0))
        owner.signal(signal.SIGSTOP)
        try:
            wait_until(
                lambda other=other: held_by(other, [*leases, SCHEDULER]),  # type: ignore[misc]
                TAKE_SECONDS,
                "the other has taken everything over",
            )
            pause(rng.uniform(0, 1.5))
        finally:
            owner.signal(signal.SIGCONT)
        owner, other = other, owner
    return [f"{p.name} ended by itself" for p in pair if p.process.poll() is not None]


def hold_all(
    world: EngineWorld, owner: EngineProcess, other: EngineProcess, leases: list[str]
) -> None:
    """Wait until this process holds everything; the other one gives way by a restart."""
    other.stop()
    wait_until(lambda: held_by(owner, [*leases, SCHEDULER]), TAKE_SECONDS, "one holds everything")
    other.start()


def held_by(process: EngineProcess, names: list[str]) -> bool:
    """True when this process holds all these leases now, by the database's clock."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM providers_lease WHERE name = ANY(%s)"
            " AND expires_at > now() AND split_part(holder, '/', 2) = %s",
            [names, str(process.process.pid)],
        )
        (count,) = cursor.fetchone()
    return bool(count == len(names))


def pause(seconds: float) -> None:
    """The moment of a fault is chance, not a condition."""
    until = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= until, seconds + 60, "the moment of the next fault")


def with_writers(verdict: Verdict, seen: Writers, more: list[str]) -> Verdict:
    """The verdict with what the detector of stale writes says."""
    figures = {"takeovers": seen.takeovers(), "writes compared": seen.seen()}
    return Verdict(verdict.figures | figures, verdict.broken + seen.stale() + more)


def _engine(
    world: EngineWorld, name: str, *, machine: str, writers: Writers, **more: str
) -> EngineProcess:
    environment = {"DATABASE_URL": writers.url(name)} | more
    return world.engine(name, machine=machine, ttl=TTL, environment=environment)


SCENARIOS = [
    Scenario("takeovers.docker", "docker", 20, stop_docker),
    Scenario("takeovers.at-points", "docker", 2 * len(POINTS), stop_at_points),
    Scenario("takeovers.fake", "fake", 10, stop_fake),
]
