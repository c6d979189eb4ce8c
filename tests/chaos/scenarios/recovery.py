"""How soon another process takes the place of one that was killed: with the default lease."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from jobs.models import Attempt, Job
from providers.leases import provider_lease
from tests.chaos.campaign import Scenario, Trial, Verdict
from tests.chaos.ground import ground
from tests.support.engine_process import EngineWorld, engine_world
from tests.support.waiting import wait_until

TTL = 10
"""Seconds: the default of GANTRY_LEASE_TTL."""
RUNNING = 100
REATTACHED_SECONDS, PEER_SECONDS = 10.0, 20.0
TICKING = "i=0; while :; do i=$((i+1)); echo tick $i; sleep 1; done"
TICK_ROOM = {"cpu_cores": 0.1, "memory_mb": 16}


@contextmanager
def world() -> Iterator[EngineWorld]:
    """An instance of its own."""
    at = ground()
    with engine_world(at.image, at.server_url, at.template) as made:
        yield made


def readopt(trial: Trial, *, running: int = RUNNING, kills: int = 5) -> Verdict:
    """kill -9 with so many attempts running; another process of the same machine is started
    at once. An attempt is re-attached when output that the dead process had not stored is
    stored: the new one follows its log. Seconds are counted from the kill."""
    with world() as on:
        on.provider()
        engine = on.engine(ttl=TTL)
        engine.start()
        jobs = ticking(on, running)
        times: list[float] = []
        for _ in range(kills):
            begun = time.monotonic()
            engine.kill()
            engine.launch()
            times += followed_again(jobs, begun)
        return _reattached(on, jobs, times, REATTACHED_SECONDS)


def peer(trial: Trial, *, running: int = RUNNING, providers: int = 5, kills: int = 5) -> Verdict:
    """kill -9 of the owner of some providers while a peer on another machine lives: nothing
    but the leases' end tells the peer."""
    with world() as on:
        names = [f"local-{n}" for n in range(providers)]
        leases = [provider_lease(on.provider(name).pk) for name in names]
        pair = [on.engine(name, machine=name, ttl=TTL) for name in ("one", "two")]
        pair[0].start()
        jobs = ticking(on, running, names)
        pair[1].start()
        times: list[float] = []
        for _ in range(kills):
            holder = wait_until(lambda: _holder(on, leases), 60, "one drives all providers")
            (owner,) = [e for e in pair if e.process.pid == int(holder.split("/")[1])]
            begun = time.monotonic()
            owner.kill()
            times += followed_again(jobs, begun)
            owner.start()
        return _reattached(on, jobs, times, PEER_SECONDS)


def _holder(on: EngineWorld, leases: Sequence[str]) -> str:
    """Who holds all of them; empty while that is nobody, or several."""
    holders = {on.holder(lease) for lease in leases}
    return holders.pop() if len(holders) == 1 else ""


def ticking(on: EngineWorld, count: int, providers: Sequence[str] = ("local",)) -> list[Job]:
    """So many jobs that run and print a line each second, each with a line stored; they take
    the providers in turn."""
    jobs = [
        on.submit(script=TICKING, resources=TICK_ROOM, provider=providers[n % len(providers)])
        for n in range(count)
    ]
    ids = [job.pk for job in jobs]
    wait_until(
        lambda: (
            Attempt.objects.filter(job__in=ids, phase="running", log_lines__gt=0).count() == count
        ),
        60 + 4 * count,
        f"{count} jobs run",
    )
    return jobs


def followed_again(jobs: Sequence[Job], begun: float) -> list[float]:
    """Per job, the seconds until output came in that was not stored at the kill."""
    ids = [job.pk for job in jobs]
    waiting = dict(Attempt.objects.filter(job__in=ids).values_list("pk", "log_lines"))
    times = []

    def all_again() -> bool:
        now = dict(Attempt.objects.filter(pk__in=waiting).values_list("pk", "log_lines"))
        at = time.monotonic() - begun
        for attempt in [a for a, lines in waiting.items() if now[a] > lines]:
            del waiting[attempt]
            times.append(at)
        return not waiting

    wait_until(all_again, 120, "all logs go on")
    return times


def _reattached(on: EngineWorld, jobs: Sequence[Job], times: list[float], limit: float) -> Verdict:
    p99 = sorted(times)[max(0, -(-99 * len(times) // 100) - 1)]
    broken = []
    if p99 > limit:
        broken.append(f"99 % were re-attached within {p99:.1f} s, not {limit:g} s")
    ids = [job.pk for job in jobs]
    again = Attempt.objects.filter(job__in=ids).exclude(number=1, phase="running")
    broken += [f"{attempt} is {attempt.phase} {attempt.reason}" for attempt in again]
    if on.starts.most() > 1:
        broken.append("a program was started twice")
    return Verdict(
        {
            "re-attached": len(times),
            "most s p99": round(p99, 2),
            "most s": round(max(times), 2),
        },
        broken,
    )


SCENARIOS = [
    Scenario("recovery.restart", "docker", 4, readopt),
    Scenario("recovery.peer", "docker", 4, peer),
]
