"""A trial's own instance: a database, a provider on the suite's engine, witnesses of every
start, a mixture of jobs that end in each way, and engine processes to be killed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from jobs.log.reading import raw_bytes
from jobs.models import Attempt, Job
from jobs.services import job_cancel
from jobs.states import TERMINAL, JobState
from projects.actor import SYSTEM
from providers.driver import Stream
from tests.chaos.campaign import Verdict
from tests.chaos.ground import ground
from tests.chaos.oracle.asked import Asked, Kind
from tests.chaos.oracle.checker import Checker
from tests.chaos.oracle.program import script
from tests.chaos.oracle.witnesses import EngineEvents, StartsFile, Witness
from tests.support.container_starts import containers_of
from tests.support.engine_process import EngineProcess, EngineWorld, engine_world, world_on
from tests.support.waiting import wait_until

TTL = 1
END_SECONDS = 180.0
ROOM = {"cpu_cores": 0.5, "memory_mb": 32}
MIX = (Kind.WHOLE, Kind.FAILING, Kind.CANCELLED, Kind.LATE, Kind.WHOLE)


class Stage:
    """One trial at work."""

    def __init__(self, world: EngineWorld, rng: random.Random) -> None:
        self.world = world
        self.rng = rng
        self.starts = StartsFile(world.folder / "oracle")
        self.provider = world.provider(mount_allow_list=[self.starts.allowed])
        self.asked: list[Asked] = []
        self._to_cancel: dict[int, str] = {}

    def engine(self, name: str, *, machine: str = "here", crash_at: str = "") -> EngineProcess:
        """An engine process, not started yet; `crash_at` is `name[:n]` of a crash point."""
        armed = {"GANTRY_CRASH_AT": crash_at} if crash_at else {}
        return self.world.engine(name, machine=machine, ttl=TTL, environment=armed)

    def submit(self, kinds: Sequence[Kind] = MIX) -> None:
        """Have these jobs accepted."""
        for kind in kinds:
            job = self.world.submit(
                script=_script(kind),
                resources=ROOM | ({"timeout_seconds": 1} if kind is Kind.LATE else {}),
                mounts=[self.starts.mount],
                retry={"max_attempts": 2, "backoff_seconds": 0} if kind is Kind.FAILING else {},
            )
            self.asked.append(Asked(job.pk, kind))
            if kind is Kind.CANCELLED:
                self._to_cancel[job.pk] = self.rng.choice(["scheduled", "running", "running"])

    def prod(self) -> None:
        """Cancel those whose moment has come; asked for again and again."""
        for job, moment in list(self._to_cancel.items()):
            state = Job.objects.values_list("state", flat=True).get(pk=job)
            if state == JobState.RUNNING or (moment == state):
                job_cancel(SYSTEM, job_id=job)
                del self._to_cancel[job]

    def over(self) -> bool:
        """True when every job that was asked for has ended."""
        self.prod()
        ids = [one.job for one in self.asked]
        return not Job.objects.filter(pk__in=ids).exclude(state__in=TERMINAL).exists()

    def wait_for(self, condition: Callable[[], object], seconds: float, what: str) -> None:
        """Wait for that, with cancels at their moments meanwhile."""

        def prodded() -> object:
            self.prod()
            return condition()

        wait_until(prodded, seconds, what)

    def wait_for_end(self, seconds: float = END_SECONDS) -> bool:
        """Wait until all jobs have ended; False when some do not."""
        try:
            wait_until(self.over, seconds, "all jobs have ended")
        except AssertionError:
            return False
        return True

    def check(self, **figures: float) -> Verdict:
        """The oracle's verdict, with figures of the trial's own."""
        witnesses: list[Witness] = [self.starts, EngineEvents(self.world.starts)]
        checker = Checker(witnesses, stored_log, lambda: containers_of(self.world.instance))
        checker.figures |= figures
        return checker.check(self.asked)


def stored_log(attempt: Attempt, stream: Stream) -> bytes:
    """What the API serves of an attempt's log."""
    return b"".join(raw_bytes(attempt.pk, stream=stream))


def _script(kind: Kind) -> str:
    if kind is Kind.FAILING:
        return script(lines=4, exit_code=3)
    if kind in (Kind.CANCELLED, Kind.LATE):
        return script(lines=4, then="sleep 600")
    return script()


@contextmanager
def stage(seed: int, database_url: str = "") -> Iterator[Stage]:
    """A stage of which nothing is left behind; on that migrated database if one is given."""
    at = ground()
    made = (
        world_on(at.image, database_url)
        if database_url
        else engine_world(at.image, at.server_url, at.template)
    )
    with made as world:
        yield Stage(world, random.Random(seed))
