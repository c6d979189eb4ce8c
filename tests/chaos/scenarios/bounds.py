"""What one engine process uses at most, and what is left of what it did: with the default
lease, and nothing armed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from jobs.models import Attempt, Job
from jobs.states import TERMINAL
from providers.models import Provider
from tests.chaos.campaign import Scenario, Trial, Verdict
from tests.chaos.scenarios.recovery import TTL, world
from tests.chaos.usage import Usage, Watch, networks_and_volumes, usage
from tests.support.container_starts import containers_of, engine_client
from tests.support.engine_process import EngineProcess, EngineWorld
from tests.support.waiting import wait_until

FLOOD_BYTES = 5 << 30
FLOOD_MB = 64.0
CROWD = 500
CROWD_MB = 128.0
CONNECTIONS = 6
JOBS = 1000
WARM = 40
"""Jobs before the first look: pools and caches fill once."""
LEFT_MB = 16.0
POOLED = 16
"""Threads and connections that pools may still grow by after that."""

# --- how much it takes ---


def flood(trial: Trial, *, size: int = FLOOD_BYTES) -> Verdict:
    """One job writes so many bytes as fast as it can."""
    with world() as on:
        on.provider()
        engine = on.engine(ttl=TTL)
        engine.start()
        on.wait_for(on.submit("true"), "completed", 60)
        line = "x" * 999
        flood = on.submit(
            script=f"yes {line} | head -c {size}", resources={"cpu_cores": 2, "memory_mb": 64}
        )
        with Watch(engine.process.pid) as watch:
            on.wait_for(flood, "completed", 60 + size / 2**20)
        figures = _use(watch) | {"GiB written": size / 2**30}
        broken = _above("memory grown by, MiB", watch.grown_mb, FLOOD_MB)
        return Verdict(figures, broken + _above("connections", watch.most_connections, CONNECTIONS))


def crowd(trial: Trial, *, running: int = CROWD, seconds: int = 60) -> Verdict:
    """So many jobs run at once, each printing a line a second."""
    with world() as on:
        Provider.objects.create(
            name="stage", kind="fake", cpu_millis=running * 1000, memory_mb=running * 100
        )
        engine = on.engine(ttl=TTL)
        engine.start()
        on.wait_for(on.submit("duration=0.1"), "completed", 60)
        with Watch(engine.process.pid) as watch:
            jobs = [on.submit(f"duration={seconds}", f"lines={seconds}") for _ in range(running)]
            ids = [job.pk for job in jobs]
            at_once = 0

            def over() -> bool:
                nonlocal at_once
                at_once = max(at_once, Attempt.objects.filter(phase="running").count())
                return not Job.objects.filter(pk__in=ids).exclude(state__in=TERMINAL).exists()

            wait_until(over, 60 + running / 2, "all have ended")
        broken = _above("memory grown by, MiB", watch.grown_mb, CROWD_MB)
        broken += _above("connections", watch.most_connections, CONNECTIONS)
        broken += _not_completed(ids)
        return Verdict(_use(watch) | {"most jobs at once": at_once}, broken)


def _use(watch: Watch) -> dict[str, float]:
    return {
        "most memory MiB": round(watch.most.memory_mb, 1),
        "most memory grown MiB": watch.grown_mb,
        "most threads": watch.most.threads,
        "most open files": watch.most.files,
        "most database connections": watch.most_connections,
        "samples": watch.samples,
    }


def _above(what: str, found: float, limit: float) -> list[str]:
    return [f"{what}: {found:g}, more than {limit:g}"] if found > limit else []


# --- what it leaves ---


def leaks(trial: Trial, *, count: int = JOBS, warm: int = WARM) -> Verdict:
    """So many small containers, one after the other, eight at once, of an image with a volume;
    then nothing is left of them: no thread, file, connection, container, network, volume."""
    with world() as on, image_with_volume(on.image) as image:
        on.provider(slots=8)
        engine = on.engine(ttl=TTL)
        engine.start()
        before = networks_and_volumes()
        _run_through(on, image, warm)
        at_rest = usage(engine.process.pid)
        ids = _run_through(on, image, count)
        after = _quiet(engine, at_rest)
        left = sorted(networks_and_volumes() - before)
        broken = [f"left on the engine: {name}" for name in left]
        broken += _above("threads more", after.threads - at_rest.threads, POOLED)
        broken += _above("open files more", after.files - at_rest.files, POOLED)
        broken += _above("MiB more", after.memory_mb - at_rest.memory_mb, LEFT_MB)
        broken += _above("connections", on.connections(), CONNECTIONS)
        broken += _not_completed(ids)
        if on.starts.most() > 1:
            broken.append("a program was started twice")
        return Verdict(
            {
                "jobs": count,
                "volumes made": count,
                "threads left": after.threads - at_rest.threads,
                "open files left": after.files - at_rest.files,
                "MiB more": round(after.memory_mb - at_rest.memory_mb, 1),
            },
            broken,
        )


def _run_through(on: EngineWorld, image: str, count: int) -> list[int]:
    """Run so many jobs to their end and wait until their containers are gone."""
    ids = [on.submit("true", image=image).pk for _ in range(count)]
    wait_until(
        lambda: not Job.objects.filter(pk__in=ids).exclude(state__in=TERMINAL).exists(),
        60 + 3 * count,
        f"{count} jobs have ended",
    )
    wait_until(lambda: not containers_of(on.instance), 60, "all containers are removed")
    return ids


def _quiet(engine: EngineProcess, before: Usage) -> Usage:
    """What it uses when the last attempt's thread has ended, as far as it ever does."""

    def settled() -> bool:
        now = usage(engine.process.pid)
        return now.threads <= before.threads and now.files <= before.files

    with suppress(AssertionError):
        wait_until(settled, 5, "it is as it was")
    return usage(engine.process.pid)


def _not_completed(ids: Sequence[int]) -> list[str]:
    others = Job.objects.filter(pk__in=ids).exclude(state="completed")
    return [f"{job} is {job.state}: {job.reason}" for job in others[:5]]


@contextmanager
def image_with_volume(base: str) -> Iterator[str]:
    """An image whose containers get an anonymous volume each."""
    client = engine_client()
    try:
        made = client.create_container(base, ["true"])
        name = f"gantry-test/volume:{made['Id'][:12]}"
        repository, _, tag = name.partition(":")
        try:
            client.commit(made["Id"], repository, tag, changes="VOLUME /data")
        finally:
            client.remove_container(made["Id"], force=True)
        try:
            yield name
        finally:
            client.remove_image(name, force=True)
    finally:
        client.close()


SCENARIOS = [
    Scenario("bounds.flood", "docker", 1, flood),
    Scenario("bounds.crowd", "fake", 3, crowd),
    Scenario("bounds.leaks", "docker", 1, leaks),
]
