"""How fast the queue fills and drains: bars for the last hours, and an estimate. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

STRETCH = timedelta(minutes=5)
BASIS = 6
"""Whole stretches that an estimate looks back on, beside the present one."""
LEAST_STARTED = 5
"""Fewer starts than this say nothing about the next ones."""
BAR, SLOT, HALF = 4, 5, 26
"""The drawing's units: a bar, with the space after it, and the height of either half."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Jobs that came into the queue and that left it for a provider, in five minutes."""

    begun: datetime
    arrived: int = 0
    started: int = 0


@dataclass(frozen=True, slots=True)
class Bars:
    """One stretch as drawn: arrivals stand on the middle line, starts hang from it."""

    x: int
    up_y: float
    up: float
    down: float
    words: str


@dataclass(frozen=True, slots=True)
class Flow:
    """The last hours. `most` is what a bar of full height stands for."""

    bars: tuple[Bars, ...]
    arrived: int
    started: int
    begun: datetime
    most: int

    @property
    def width(self) -> int:
        """Of the drawing."""
        return len(self.bars) * SLOT

    @property
    def height(self) -> int:
        """Of the drawing, both halves and the line between."""
        return 2 * HALF + 1


@dataclass(frozen=True, slots=True)
class Drain:
    """What the recent pace says of those who wait now. `seconds` is None where it says nothing."""

    waiting: int
    arrived: int
    started: int
    minutes: int
    seconds: float | None

    @property
    def grows(self) -> bool:
        """True while more come than go."""
        return self.arrived > self.started

    @property
    def about(self) -> str:
        """The time in words as rough as it is."""
        return rough_text(self.seconds or 0)


def flow_of(stretches: Sequence[Stretch]) -> Flow:
    """The drawing of at least one stretch, the oldest first."""
    most = max(1, *(max(s.arrived, s.started) for s in stretches))
    bars = []
    for n, s in enumerate(stretches):
        up, down = HALF * s.arrived / most, HALF * s.started / most
        words = f"{s.begun:%H:%M}: {s.arrived} arrived, {s.started} started"
        bars.append(Bars(n * SLOT, round(HALF - up, 2), round(up, 2), round(down, 2), words))
    return Flow(
        tuple(bars),
        sum(s.arrived for s in stretches),
        sum(s.started for s in stretches),
        stretches[0].begun,
        most,
    )


def drain_of(stretches: Sequence[Stretch], waiting: int, now: datetime) -> Drain | None:
    """When the last of so many waiting jobs starts at the pace of the last half hour.

    None when none waits. Without an estimate when too few started.
    """
    basis = stretches[-BASIS - 1 :]
    if not waiting or not basis:
        return None
    passed = max(60.0, (now - basis[0].begun).total_seconds())
    arrived, started = sum(s.arrived for s in basis), sum(s.started for s in basis)
    seconds = waiting / started * passed if started >= LEAST_STARTED else None
    return Drain(waiting, arrived, started, round(passed / 60), seconds)


def rough_text(seconds: float) -> str:
    """A length of time as roughly as an estimate is known: "a minute", "12 min", "2.5 h"."""
    minutes = seconds / 60
    if minutes < 1.5:
        return "a minute"
    if minutes < 10:
        return f"{minutes:.0f} min"
    if minutes < 87.5:
        return f"{5 * round(minutes / 5)} min"
    hours = minutes / 60
    if hours < 36:
        return f"{round(2 * hours) / 2:g} h"
    return f"{hours / 24:.0f} d"
