"""The demonstration in order: people, places, what runs, what went wrong, what waits.

Each step asks the services for something and waits for the engine to have done it. All of it
may be told again: what is there already is left as it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from django.db.models import Count, QuerySet
from django.db.models.functions import Now

from jobs.models import Job
from jobs.services import job_cancel, job_submit
from jobs.states import TERMINAL, JobState
from orchestrator.demo import cast, places, wishes
from orchestrator.demo.wishes import KEY, Wish
from projects.actor import Actor
from projects.errors import Conflict
from providers.leases import SCHEDULER
from providers.models import Lease

LOOK_SECONDS = 0.5
SLOW_SECONDS = 180
"""A step is waited for so long; a machine that does much else may be slow."""


class CannotTell(Exception):
    """The instance is not one to make a demonstration in; the message says what to do."""


@dataclass(slots=True)
class Account:
    """What was made now."""

    jobs: int = 0
    late: list[str] = field(default_factory=list)
    """What the engine had not done when it was no longer waited for."""


def others() -> int:
    """How many jobs here are not of the demonstration, counted to 1,000."""
    found = Job.objects.exclude(idempotency_key__startswith=KEY)
    return found.order_by("pk")[:1000].count()


def made() -> dict[JobState, int]:
    """The demonstration's jobs as they are now."""
    found = Job.objects.filter(idempotency_key__startswith=KEY)
    rows = found.order_by().values_list("state").annotate(Count("pk"))
    return {JobState(state): count for state, count in rows}


class Story:
    """One telling. `say` gets a line about each step."""

    def __init__(
        self, say: Callable[[str], None], password: str | None = None, over: float = 0.0
    ) -> None:
        """`over`: the seconds over which the series are submitted, 0 for as soon as may be."""
        self._say = say
        self._password = password
        self._over_seconds = over
        self._people: dict[str, Actor] = {}
        self._known: set[str] = set()
        self.account = Account()

    def tell(self) -> None:
        """Make all of it. Raises CannotTell, NameTaken, Conflict (a provider's name is taken)."""
        if not Lease.objects.filter(name=SCHEDULER, expires_at__gt=Now()).exists():
            raise CannotTell("No engine process runs here. Start Gantry first: make up")
        self._people = cast.assemble(self._password)
        self._say("People and projects are there.")
        places.build(self._people[cast.OPERATOR])
        self._wait("every provider has been looked at", lambda: not places.not_seen_yet())
        found = Job.objects.filter(idempotency_key__startswith=KEY)
        self._known = {str(key) for key in found.values_list("idempotency_key", flat=True)}
        engine = places.local_engine()
        local = engine.name if engine else None
        if local is None:
            self._say("No engine of this machine takes jobs, so none of them runs for real.")
        is_docker = engine is not None and engine.kind == "docker"

        ends = wishes.ends(local, eats_memory=is_docker)
        if self._over_seconds:
            # What goes on ends by itself within two hours: it comes after what takes longer.
            self._series(self._over_seconds)
            self._start(local)
        else:
            self._start(local)
            self._series(between=ends)
        self._submit(ends)
        self._wait("every end has come", lambda: self._over(w.key for w in ends))
        fresh = self._submit(wishes.waiting())
        self._wait("what waits says why", partial(self._wait_for_a_reason, fresh))
        self._wait("what was lost has been given up", lambda: self._over([wishes.lost().key]))
        places.come_back(places.SPOT)

    def _start(self, local: str | None) -> None:
        """What runs, what is stopped while it runs, and the providers that then go away."""
        lost, stopped = wishes.lost(), wishes.stopped()
        running = [*wishes.running(local), lost]
        fresh = self._submit([*running, *(wish for wish, _ in stopped)])
        self._say("Jobs that go on have been submitted.")
        soon = [wish for wish, _ in stopped if not wish.spec.get("hold")]
        self._wait("they run", lambda: self._begun(w.key for w in [*running, *soon]))
        if lost.key in fresh:
            places.go_away(places.SPOT)
        places.go_away(places.EDGE)
        places.drain(self._people[cast.OPERATOR])
        for wish, by in stopped:
            if wish.key in fresh:
                self._cancel(wish, by)
        self._say(f"{places.EDGE} has gone away and {places.OLD} drains.")

    def _series(self, seconds: float = 0.0, between: Sequence[Wish] = ()) -> None:
        """The series in rounds, each over its part of that time, and one of the others between
        two of them."""
        for n, wave in enumerate(wishes.history()):
            fresh = self._submit([*between[n : n + 1], *wave], seconds / wishes.ROUNDS)
            if fresh:
                self._wait(f"round {n + 1} is over", partial(self._over, [w.key for w in wave]))
                told = f"Round {n + 1} of {wishes.ROUNDS} is over: {self.account.jobs} jobs."
                self._say(told)

    def _submit(self, several: Iterable[Wish], seconds: float = 0.0) -> set[str]:
        """Submit those that are not there yet, evenly over that time; their keys."""
        fresh = [wish for wish in several if wish.key not in self._known]
        for wish in fresh:
            job_submit(self._people[wish.by], data=wish.spec, idempotency_key=wish.key)
            self._known.add(wish.key)
            self.account.jobs += 1
            if seconds:
                time.sleep(seconds / len(fresh))
        return {wish.key for wish in fresh}

    def _cancel(self, wish: Wish, by: str) -> None:
        job = Job.objects.get(idempotency_key=wish.key)
        try:
            job_cancel(self._people[by], job_id=job.pk)
        except Conflict:
            self.account.late.append(f"{wish.name} had ended before it was cancelled")

    def _begun(self, keys: Iterable[str]) -> bool:
        return not _jobs(keys).filter(state__in=[JobState.PENDING, JobState.SCHEDULED]).exists()

    def _over(self, keys: Iterable[str]) -> bool:
        return not _jobs(keys).exclude(state__in=TERMINAL).exists()

    def _wait_for_a_reason(self, keys: Iterable[str]) -> bool:
        """Whether all of them wait (one has failed once before), and the scheduler has said why."""
        found = _jobs(keys).select_related("queue_class")
        return all(job.state == JobState.PENDING and job.told[0] != "queued" for job in found)

    def _wait(self, what: str, done: Callable[[], bool]) -> None:
        """Wait for it; what does not come is told of and does not stop the rest."""
        until = time.monotonic() + SLOW_SECONDS
        while not done():
            if time.monotonic() > until:
                self.account.late.append(f"not within {SLOW_SECONDS} s: {what}")
                return
            time.sleep(LOOK_SECONDS)


def _jobs(keys: Iterable[str]) -> QuerySet[Job]:
    return Job.objects.filter(idempotency_key__in=list(keys))
