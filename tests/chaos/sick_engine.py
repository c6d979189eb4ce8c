"""A trial's own instance whose provider is an engine of its own, to be made sick: jobs that
mind it or not, and what each of them must come to."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from django.db import connection

from jobs.models import Attempt, Job
from jobs.reasons import reason_text
from jobs.states import TERMINAL, Outcome
from projects.models import Event
from providers.driver import LABEL_INSTANCE
from providers.models import Provider
from tests.chaos.campaign import Verdict
from tests.chaos.ground import ground
from tests.chaos.oracle.chains import wrong_in
from tests.chaos.oracle.program import FOLDER, script, wrong_with
from tests.chaos.oracle.witnesses import StartsFile
from tests.support.engine_process import EngineProcess, EngineWorld, engine_world
from tests.support.own_dockerd import OwnDockerd, own_dockerd
from tests.support.waiting import wait_until

END_SECONDS = 90.0
EMPTY_SECONDS = 90.0
AWAY, BACK = "away", "back"
"""Files beside the witness: programs learn from them where the engine is."""


def _until(word: str) -> str:
    return f"until [ -e {FOLDER}/{word} ]; do sleep 0.02; done"


LASTING = script(lines=10, then=_until(BACK))
POLITE = "trap 'exit 3' TERM\n" + LASTING
STUBBORN = "trap '' TERM\n" + LASTING
LEAVING = script(lines=2, then=_until(AWAY), exit_code=4)

ONCE = (("succeeded",),)
ANEW = (("engine_stopped", "succeeded"),)
OWN_END = (("exit_code",),)


@dataclass(frozen=True, slots=True)
class Expected:
    """A job, and the reasons that its attempts may have ended for, fenced ones left out."""

    job: Job
    what: str
    ends: tuple[tuple[str, ...], ...]
    starts: int = 1
    """Of each attempt; more only where a hand that is not Gantry's has started it."""


@dataclass
class SickEngine:
    """One trial at work. The engine process renews a lease of 1 s."""

    world: EngineWorld
    engine: OwnDockerd
    provider: Provider
    process: EngineProcess
    starts: StartsFile
    rng: random.Random
    expected: list[Expected] = field(default_factory=list)

    def submit(
        self, what: str, program: str, ends: Sequence[Sequence[str]], *, starts: int = 1
    ) -> Job:
        """Have a job accepted that must come to one of these ends."""
        job = self.world.submit(
            script=program, provider=self.provider.name, mounts=[self.starts.mount]
        )
        allowed = tuple(tuple(reasons) for reasons in ends)
        self.expected.append(Expected(job, what, allowed, starts))
        return job

    def wait_until_all_run(self) -> None:
        """Wait until every job's program has testified, and is stored as running."""

        def all_run() -> bool:
            jobs = [one.job.pk for one in self.expected]
            live = Attempt.objects.filter(job__in=jobs, phase="running")
            started = self.starts.starts()
            return sum(str(a.uid) in started for a in live) == len(jobs)

        wait_until(all_run, 30, "all programs run")

    def tell(self, word: str) -> None:
        """Let the programs know: AWAY or BACK."""
        (self.starts.folder / word).touch()

    def health(self) -> Provider:
        """The provider as it is known now."""
        return Provider.objects.get(pk=self.provider.pk)

    def wait_for_health(self, state: str, seconds: float) -> None:
        """Wait until the provider is told to be in that state."""
        wait_until(lambda: self.health().health == state, seconds, f"the provider is {state}")

    def wait_until_seen_again(self) -> None:
        """Wait until the engine process has got an answer after now."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            (now,) = cursor.fetchone()
        seen = Provider.objects.filter(pk=self.provider.pk, health="healthy", probed_at__gt=now)
        wait_until(seen.exists, 30, "the provider was seen again")

    def threads(self) -> int:
        """How many threads the engine process has now."""
        return len(list(Path(f"/proc/{self.process.process.pid}/task").iterdir()))

    def attempts(self, job: Job) -> list[Attempt]:
        """A job's attempts in their order, without those that were taken back before a start."""
        found = Attempt.objects.filter(job=job).order_by("number")
        return [a for a in found if a.outcome != Outcome.FENCED]

    def check(self, **figures: float) -> Verdict:
        """What came of it all."""
        broken: list[str] = []
        jobs = [one.job.pk for one in self.expected]
        try:
            wait_until(
                lambda: not Job.objects.filter(pk__in=jobs).exclude(state__in=TERMINAL).exists(),
                END_SECONDS,
                "all jobs have ended",
            )
        except AssertionError:
            broken.append(f"not all jobs have ended: {self._stuck(jobs)}")
        flawed = 0
        for one in self.expected:
            broken += [f"job {one.job.pk} ({one.what}): {wrong}" for wrong in self._wrong(one)]
            flawed += any(a.log_complete is False for a in self.attempts(one.job))
        try:
            wait_until(lambda: not self._left(), EMPTY_SECONDS, "the engine is empty")
        except AssertionError:
            broken.append(f"left on the engine: {self._left()}")
        if self.process.process.poll() is not None:
            broken.append("the engine process has died")
        counted = {"jobs": float(len(jobs)), "logs told to have gaps": float(flawed)}
        most = max((len(n) for n in self.starts.starts().values()), default=0)
        return Verdict(counted | figures | {"most starts of an attempt": float(most)}, broken)

    def _wrong(self, one: Expected) -> Iterator[str]:
        job = Job.objects.get(pk=one.job.pk)
        attempts = self.attempts(job)
        reasons = tuple(a.reason for a in attempts)
        if reasons not in one.ends:
            told = [reason_text(a.reason, a.reason_detail) for a in attempts]
            yield f"its attempts ended {reasons}, not one of {one.ends}; {told}"
        charged = sum(reason == "exit_code" for reason in reasons)
        if job.charged != charged:
            yield f"it was charged {job.charged} tries, not {charged}"
        events = Event.objects.filter(subject_kind="job", subject_id=job.pk).order_by("pk")
        yield from wrong_in(list(events), job.state)
        testified = self.starts.starts()
        for attempt in attempts:
            count = len(testified.get(str(attempt.uid), ()))
            if count != one.starts:
                yield f"attempt {attempt.number} was started {count} times"
        whole = reasons[-1:] in (("succeeded",), ("exit_code",))
        if whole and attempts[-1].log_complete:
            flaw = wrong_with(self.world.log(job))
            if flaw:
                yield f"its log is told to be complete, but {flaw}"

    def _stuck(self, jobs: Sequence[int]) -> str:
        """Where what has not ended stands, by each side: for whoever looks for the cause."""
        live = Attempt.objects.filter(job__in=jobs).exclude(phase="ended")
        phases = [f"attempt {a.pk} {a.phase}, not seen since {a.not_seen_since}" for a in live]
        given_up = self.process.output().count("given up")
        health = f"{self.health().health} {self.health().last_error}"
        return f"{phases}; {self._left()}; {health}; {given_up} leases given up"

    def _left(self) -> list[str]:
        with closing(self.engine.client()) as client:
            label = f"{LABEL_INSTANCE}={self.world.instance}"
            found = client.containers(all=True, filters={"label": label})
        return [f"{container['Names']} {container['State']}" for container in found]


@contextmanager
def sick_engine(
    seed: int,
    *,
    live_restore: bool = False,
    disk_mib: int = 0,
    options: Mapping[str, float] | None = None,
) -> Iterator[SickEngine]:
    """A stage of which nothing is left behind. `options` are the provider's, such as its
    deadlines in seconds."""
    at = ground()
    with (
        own_dockerd(at.image, live_restore=live_restore, disk_mib=disk_mib) as engine,
        engine_world(at.image, at.server_url, at.template) as world,
    ):
        starts = StartsFile(world.folder / "oracle")
        provider = world.provider(
            "sick",
            options={"base_url": engine.url, **(options or {})},
            mount_allow_list=[starts.allowed],
        )
        process = world.engine(ttl=1)
        process.start()
        yield SickEngine(world, engine, provider, process, starts, random.Random(seed))
        if process.process.poll() is None:
            process.signal(signal.SIGTERM)
            process.process.wait(15)
