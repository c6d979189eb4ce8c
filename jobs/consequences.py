"""What a change of a provider means to the jobs that wait: which of them it takes their only
place from, which go elsewhere, which it gives a place. Values in, values out.

By `providers.fit`, which the planner decides by. A job's place is a provider that suits it and
takes jobs now, whether or not it is full at the moment.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from jobs.waiting_classes import WaitingClass
from jobs.why_waiting import fits_of, headline
from providers.fit import Answer, Need, fit
from providers.models import Provider
from providers.selectors import ProviderUse

PLACES = (Answer.FITS, Answer.FULL)


class Fate(StrEnum):
    """What a change does to a class of waiting jobs."""

    STUCK = "stuck"
    """The changed provider was their only place: they will wait."""
    ELSEWHERE = "elsewhere"
    """They lose a place and have another."""
    FREED = "freed"
    """They get a place and had none."""
    JOINED = "joined"
    """They get one more place."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One class, and the words in which its jobs' pages will tell why they wait."""

    jobs: WaitingClass
    why: str


@dataclass(frozen=True, slots=True)
class Consequences:
    """The classes that a change concerns, by what it does to them; `waiting`: all that were
    looked at."""

    hits: Mapping[Fate, tuple[Hit, ...]]
    waiting: int

    def count(self, fate: Fate) -> int:
        """How many jobs have this fate."""
        return sum(hit.jobs.count for hit in self.hits.get(fate, ()))


def consequences(
    before: Provider,
    after: Provider,
    all_providers: Sequence[Provider],
    used: Mapping[int, ProviderUse],
    classes: Sequence[WaitingClass],
    now: datetime,
) -> Consequences:
    """What it means that `before` becomes `after`. `all_providers` are those in service."""
    others = [provider for provider in all_providers if provider.pk != before.pk]
    changed = [*others, after]
    hits: dict[Fate, list[Hit]] = {}
    for one in classes:
        had = _place(one.need, before, used, now)
        has = _place(one.need, after, used, now)
        if had == has:
            continue
        other = any(_place(one.need, provider, used, now) for provider in others)
        if had:
            fate = Fate.ELSEWHERE if other else Fate.STUCK
        else:
            fate = Fate.JOINED if other else Fate.FREED
        why = ""
        if fate is Fate.STUCK:
            why = headline(one.need, fits_of(one.need, changed, used, now))[1]
        hits.setdefault(fate, []).append(Hit(one, why))
    return Consequences(
        {fate: tuple(found) for fate, found in hits.items()}, sum(one.count for one in classes)
    )


def answers_of(
    provider: Provider,
    use: ProviderUse,
    classes: Sequence[WaitingClass],
    now: datetime,
) -> tuple[Mapping[Answer, int], int]:
    """How many waiting jobs get which answer from one provider; and how many of those for whom it
    has room wait for something else."""
    counts: Counter[Answer] = Counter()
    held_up = 0
    for one in classes:
        answer = fit(one.need, provider, use, now).answer
        counts[answer] += one.count
        held_up += one.held_up if answer is Answer.FITS else 0
    return {answer: counts[answer] for answer in Answer if answer in counts}, held_up


def _place(need: Need, provider: Provider, used: Mapping[int, ProviderUse], now: datetime) -> bool:
    return fit(need, provider, used[provider.pk], now).answer in PLACES
