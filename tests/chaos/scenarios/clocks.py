"""The engine's clock and that of Gantry's machine are an hour apart. An engine cannot be given
a false clock, so Postgres and the engine process get one, and the engine has the right time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from django.db import connection
from django.utils import timezone

from jobs.models import Attempt, Job
from jobs.phases import timeline
from providers.leases import provider_lease
from providers.models import Provider
from tests.chaos.campaign import Scenario, Trial, Verdict
from tests.chaos.oracle.asked import Kind
from tests.chaos.own_postgres import own_postgres
from tests.chaos.scenarios.takeovers import held_by
from tests.chaos.stage import MIX, Stage, stage
from tests.support.false_clock import false_clock
from tests.support.waiting import wait_until

HOUR = 3600.0
TTL_SECONDS = 10
"""As by default: with leases that are lost now and then, nobody sends a stop in time."""
SLACK_SECONDS = 2.0
"""So much later than its limit a program may be over: a look each second, and the stop. In a
takeover as much again, for the first look at the engine and all that runs on it."""
CLOSE_SECONDS = 1.0
"""So far the offset that is shown may be from the true one."""
LIMIT_SECONDS = 1.0
"""Of the stage's late jobs."""
JOBS = (*MIX, Kind.LATE, Kind.LATE)
LONGEST = timedelta(minutes=10)

Away = tuple[datetime, datetime]
"""From when to when there was no engine process, on the engine's clock."""


def skewed(trial: Trial, *, ahead: float, kills: int = 2) -> Verdict:
    """Gantry's clock is `ahead` of the engine's by so many seconds. Jobs of all kinds run, and
    the engine process is killed, so that time limits are also looked at in takeovers."""
    clock = false_clock(ahead)
    with own_postgres(clock) as server, stage(trial.seed, server.url) as on:
        engine = on.world.engine("engine", ttl=TTL_SECONDS, environment=clock)
        engine.start()
        broken = _wrong_clock(ahead)
        leases = [provider_lease(on.provider.pk)]
        away: list[Away] = []
        for each in range(kills + 1):
            on.submit(on.rng.sample(JOBS, k=len(JOBS)))
            if each < kills:
                on.wait_for(lambda: _begun(on), 30, "programs have begun")
                begun = timezone.now()
                engine.kill()
                engine.start()
                on.wait_for(lambda: held_by(engine, leases), 30, "the next one has taken over")
                away.append((begun, timezone.now()))
        on.wait_for_end()
        offset = wait_until(_offset, 20, "the engine's clock was looked at")
        off = abs((offset or 0.0) + ahead)
        if off > CLOSE_SECONDS:
            broken.append(f"the engine's clock is told to be {offset:g} s off, not {-ahead:g}")
        longest, wrong = _times(on, away)
        verdict = on.check(
            **{
                "kills": kills,
                "longest past its limit s": longest,
                "longest error of offset s": round(off, 3),
            }
        )
        return Verdict(verdict.figures, broken + wrong + verdict.broken)


def _wrong_clock(ahead: float) -> list[str]:
    """Whether the database has the false clock at all."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (now,) = cursor.fetchone()
    off = (now - timezone.now()).total_seconds()
    return [] if abs(off - ahead) < CLOSE_SECONDS else [f"the database is {off:g} s ahead"]


def _offset() -> float | None:
    """The engine's clock minus Gantry's, in seconds, as people are shown it."""
    offset = Provider.objects.values_list("clock_offset_ms", flat=True).get()
    return None if offset is None else offset / 1000


def _begun(on: Stage) -> bool:
    """Whether some of the last jobs' programs have started."""
    ids = [one.job for one in on.asked[-len(JOBS) :]]
    return Attempt.objects.filter(job__in=ids, running_at__isnull=False).count() >= 3


def _times(on: Stage, away: Sequence[Away]) -> tuple[float, list[str]]:
    """How long after its limit the last program was over that an engine process watched all
    the time, and what is wrong with the times."""
    wrong, longest = [], 0.0
    kinds = {one.job: one.kind for one in on.asked}
    for attempt in Attempt.objects.filter(job__in=kinds, finished_at__isnull=False):
        began, over = attempt.started_at, attempt.finished_at
        assert began is not None
        assert over is not None
        name = f"job {attempt.job_id} ({kinds[attempt.job_id]}) attempt {attempt.number}"
        ran = (over - began).total_seconds()
        if ran < 0:
            wrong.append(f"{name} ran for {ran:g} s")
        if attempt.reason != "timeout":
            continue
        past = round(ran - LIMIT_SECONDS, 2)
        alone = sum((end - start).total_seconds() for start, end in away if began < end < over)
        allowed = 2 * SLACK_SECONDS + alone if alone else SLACK_SECONDS
        if not alone:
            longest = max(longest, past)
        if not 0 <= past <= allowed:
            wrong.append(f"{name} was over {past:g} s after its limit, {alone:.1f} s of them alone")
    for job in Job.objects.filter(pk__in=kinds):
        attempts = list(Attempt.objects.filter(job=job).order_by("number"))
        drawn = timeline(job, attempts, job.finished_at or job.created_at)
        if not drawn.start <= drawn.end <= drawn.start + LONGEST:
            wrong.append(f"job {job.pk} is told to have lasted from {drawn.start} to {drawn.end}")
    return longest, wrong


SCENARIOS = [
    Scenario("clocks.ahead", "docker", 5, partial(skewed, ahead=HOUR)),
    Scenario("clocks.behind", "docker", 5, partial(skewed, ahead=-HOUR)),
]
