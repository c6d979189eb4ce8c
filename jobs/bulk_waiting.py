"""A batch of one action on many jobs that wait: hold, release, priority, provider."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from jobs import transitions
from jobs.acts import why_never
from jobs.bulk import allowed_of
from jobs.bulk_words import Fate
from jobs.models import Job
from jobs.states import TERMINAL
from projects.actor import Actor
from providers.models import Provider


def hold_batch(actor: Actor, jobs: Sequence[int], note: str) -> Counter[Fate]:
    """Hold these jobs, with a note if one is given."""
    allowed, fates = allowed_of(actor, jobs)
    return fates + _told(transitions.hold(sorted(allowed), note, actor), Fate.HELD, allowed)


def release_batch(actor: Actor, jobs: Sequence[int]) -> Counter[Fate]:
    """Let these jobs go on."""
    allowed, fates = allowed_of(actor, jobs)
    result = transitions.release(sorted(allowed), actor)
    return fates + _told(result, Fate.RELEASED, allowed, same=Fate.FREE)


def reprioritise_batch(actor: Actor, jobs: Sequence[int], priority: int) -> Counter[Fate]:
    """Give these jobs another priority."""
    allowed, fates = allowed_of(actor, jobs)
    result = transitions.reprioritise(sorted(allowed), priority, actor)
    return fates + _told(result, Fate.REPRIORITISED, allowed)


def move_batch(actor: Actor, jobs: Sequence[int], provider: Provider | None) -> Counter[Fate]:
    """Let these jobs run on that provider only, or on any; those that never can stay."""
    allowed, fates = allowed_of(actor, jobs)
    rows = Job.objects.filter(pk__in=allowed, state="pending").defer("secrets")
    unfit = {job.pk for job in rows if why_never(job, provider)}
    fates[Fate.UNFIT] += len(unfit)
    fit = {pk: state for pk, state in allowed.items() if pk not in unfit}
    name = provider.name if provider is not None else ""
    return fates + _told(transitions.move(sorted(fit), name, actor), Fate.MOVED, fit)


def _told(
    result: transitions.Changed, done: Fate, states: dict[int, str], same: Fate = Fate.SAME
) -> Counter[Fate]:
    """What came of jobs that the actor may change, by the states that they had before."""
    ended = sum(states[pk] in TERMINAL for pk in result.left)
    return Counter(
        {
            done: len(result.changed),
            same: len(result.same),
            Fate.FINISHED: ended,
            Fate.STARTED: len(result.left) - ended,
        }
    )
