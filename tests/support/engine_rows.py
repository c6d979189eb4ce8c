"""What the engine's writers need to stand on: a lease, jobs in the queue, jobs on a provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from jobs import transitions
from jobs.endings import Ending
from jobs.models import Attempt, Job
from jobs.queue_models import QueueClass
from jobs.states import Outcome, Phase
from jobs.transitions import BatchResult, Move, Placement
from providers import leases
from providers.leases import SCHEDULER, Fence, provider_lease
from providers.models import Lease, Provider
from tests.support.builders import make_job, make_provider

SUCCEEDED = Ending(Outcome.COMPLETED, "succeeded", {}, 0)
WAY = (Phase.CREATING, Phase.STARTING, Phase.RUNNING, Phase.FINISHING)


def hold(name: str = SCHEDULER, holder: str = "me") -> Fence:
    """Take a lease for a minute."""
    (fence,) = leases.acquire([name], holder, 60)
    return fence


def take_over(fence: Fence, holder: str = "another") -> Fence:
    """Let a lease expire, and another take it."""
    Lease.objects.filter(name=fence.name).update(expires_at="2001-01-01T00:00Z")
    (taken,) = leases.acquire([fence.name], holder, 60)
    return taken


def placed(
    provider: Provider | None = None, spec: Mapping[str, Any] | None = None
) -> tuple[Attempt, Fence]:
    """A job that the scheduler has just placed, and the lease of its provider."""
    provider = provider or make_provider()
    job = make_job(spec=spec)
    if not Lease.objects.filter(name=SCHEDULER).exists():
        hold()
    scheduler = Fence(SCHEDULER, Lease.objects.get(name=SCHEDULER).term)
    with transaction.atomic():
        changes = transitions.place(scheduler, [Placement(job.pk, provider.pk, provider.name)])
    assert len(changes) == 1
    name = provider_lease(provider.pk)
    known = Lease.objects.filter(name=name).first()
    return Attempt.objects.get(job=job), Fence(name, known.term) if known else hold(name)


def move(attempt: Attempt, fence: Fence, to: Phase | None, **facts: Any) -> Move:
    """A move; to `ended` as succeeded, unless told otherwise."""
    if to is Phase.ENDED:
        facts = {"ending": SUCCEEDED} | facts
    return Move(attempt=attempt.pk, job=attempt.job_id, fence=fence, to=to, **facts)


def write(*moves: Move) -> BatchResult:
    """Write moves in a transaction of their own."""
    with transaction.atomic():
        return transitions.apply(moves)


def bring_to(attempt: Attempt, fence: Fence, phase: Phase) -> None:
    """Lead a placed attempt to a phase, step by step."""
    way: tuple[Phase, ...] | None = {
        Phase.PLACED: (),
        Phase.PULLING: (Phase.PULLING,),
        Phase.ENDED: (*WAY, Phase.ENDED),
    }.get(phase)
    if way is None:
        way = WAY[: WAY.index(phase) + 1]
    for step in way:
        result = write(move(attempt, fence, step))
        assert [str(w) for w in result.written] == ["done"], step


def row(thing: Job | Attempt | QueueClass) -> dict[str, Any]:
    """All columns of a row as they are now."""
    return dict(type(thing)._default_manager.filter(pk=thing.pk).values().get())
