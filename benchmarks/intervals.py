"""Medians, percentiles and how sure one may be of them: bootstrap intervals."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

RESAMPLES = 5000
COVERED = 0.95

Statistic = Callable[[Sequence[float]], float]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value, and the interval that covers the true one with 95 %."""

    value: float
    low: float
    high: float

    def told(self, places: int = 2) -> str:
        """With its interval, to so many places after the point."""
        return f"{self.value:,.{places}f} [{self.low:,.{places}f}, {self.high:,.{places}f}]"


def percentile(share: float) -> Statistic:
    """The statistic "that share of the values is at most so much", interpolated."""

    def of(values: Sequence[float]) -> float:
        ordered = sorted(values)
        place = share * (len(ordered) - 1)
        below = int(place)
        above = min(below + 1, len(ordered) - 1)
        return ordered[below] + (ordered[above] - ordered[below]) * (place - below)

    return of


def estimate(values: Sequence[float], statistic: Statistic = median) -> Estimate:
    """The statistic of the values, with its percentile-bootstrap interval. Seeded: the same
    values always give the same interval."""
    dice = random.Random(1)
    drawn = sorted(statistic(dice.choices(values, k=len(values))) for _ in range(RESAMPLES))
    edge = int(RESAMPLES * (1 - COVERED) / 2)
    return Estimate(statistic(values), drawn[edge], drawn[-1 - edge])


def difference(
    more: Sequence[float], less: Sequence[float], statistic: Statistic = median
) -> Estimate:
    """How much more the statistic of `more` is than the median of `less`; both resampled."""
    dice = random.Random(1)
    drawn = sorted(
        statistic(dice.choices(more, k=len(more))) - median(dice.choices(less, k=len(less)))
        for _ in range(RESAMPLES)
    )
    edge = int(RESAMPLES * (1 - COVERED) / 2)
    return Estimate(statistic(more) - median(less), drawn[edge], drawn[-1 - edge])
