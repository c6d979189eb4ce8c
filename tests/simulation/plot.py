"""What a seed stands for: how many of everything, and what goes wrong when."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from zlib import crc32

from providers.driver import Stream
from tests.simulation.engine import Program
from tests.simulation.travel import Weather

RESTART_SECONDS = 0.3
HORIZON = 3.0
"""Faults begin within so many seconds."""

SHORTEST_RUN = 0.03
"""Seconds that even the shortest program takes, between its start and its end."""

EVENTS = (
    "kill", "kill", "stop", "stop", "end", "engine_down", "engine_crash", "engine_full",
    "database_gone", "cancel", "cancel", "take_away", "start_again", "rotate", "drain", "edit",
    "probe",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Happening:
    """Something befalls one of a kind (`which`, taken modulo how many there are), for a while."""

    at: float
    kind: str
    which: int
    seconds: float


@dataclass(frozen=True, slots=True)
class JobPlot:
    """A job: when it is submitted, and what is asked for it."""

    at: float
    cpu_millis: int
    max_attempts: int
    timeout_seconds: int


@dataclass(frozen=True, slots=True)
class Plot:
    """One run."""

    seed: int
    processes: int
    machines: int
    ttl: float
    providers: tuple[float, ...]
    """Cores of each."""
    slots: int | None
    lost_after: int | None
    fine: bool
    jobs: tuple[JobPlot, ...]
    engine_weather: Weather
    database_weather: Weather
    heard: float
    """The chance that a NOTIFY arrives."""
    happenings: tuple[Happening, ...]
    die_at: tuple[str, int] | None
    """Die at this crash point, when it is passed for the n-th time."""
    skew: float


def plot(seed: int, points: tuple[str, ...]) -> Plot:
    """The plot of a seed. `points`: the names of the loop's crash points."""
    r = random.Random(seed)
    processes = r.choice((1, 1, 1, 2, 2, 3))
    ttl = r.choice((1.0, 3.0, 3.0))
    stormy = r.random() < 0.7
    happenings = [
        Happening(
            r.random() * HORIZON,
            r.choice(EVENTS),
            r.randrange(1000),
            r.choice((0.05, 0.3, 1.0, 1.2 * ttl)) * (0.5 + r.random()),
        )
        for _ in range(r.choice((0, 1, 1, 2, 2, 3, 4)))
    ]
    return Plot(
        seed=seed,
        processes=processes,
        machines=r.choice((1, processes)),
        ttl=ttl,
        providers=r.choice(((1.0,), (2.0,), (1.0, 2.0))),
        slots=r.choice((None, None, 1)),
        lost_after=r.choice((None, None, None, 1)),
        fine=r.random() < 0.3,
        jobs=tuple(
            JobPlot(
                r.choice((0.0, 0.0, r.random() * HORIZON)),
                r.choice((500, 1000)),
                r.choice((1, 1, 2, 3)),
                r.choice((86_400, 86_400, 1)),
            )
            for _ in range(r.choice((1, 1, 2, 2, 3, 4)))
        ),
        engine_weather=_weather(r) if stormy else Weather(),
        database_weather=_weather(r) if stormy and r.random() < 0.6 else Weather(),
        heard=r.choice((1.0, 1.0, 0.5, 0.0)),
        happenings=tuple(sorted(happenings, key=lambda h: h.at)),
        die_at=_death(seed, r.choice((1, 1, 2, 3)), points) if r.random() < 0.3 else None,
        skew=r.choice((0.0, 0.0, -5.0, 5.0)),
    )


def _death(seed: int, nth: int, points: tuple[str, ...]) -> tuple[str, int]:
    """A crash point by its name, so that a new one changes few of the old seeds."""
    return min(points, key=lambda name: crc32(name.encode(), seed)), nth


def _weather(r: random.Random) -> Weather:
    one = Weather(r.random() * 0.1, r.random() * 0.1, r.random() * 0.06, r.random() * 0.1)
    return replace(one, late=0.0) if r.random() < 0.3 else one


def program(r: random.Random) -> Program:
    """What one attempt's container does."""
    seconds = SHORTEST_RUN + r.choice((0.0, 0.05, 0.3, 1.0, 2.5)) * r.random()
    if r.random() < 0.03:
        return Program(0, 0, (), refused="rejected")
    writes = sorted(
        (
            r.random() * seconds,
            Stream.STDERR if r.random() < 0.3 else Stream.STDOUT,
            b"%04d%s" % (r.randrange(10_000), b"\n" if r.random() < 0.8 else b""),
        )
        for _ in range(r.choice((0, 1, 2, 5)))
    )
    return Program(seconds, r.choice((0, 0, 0, 1)), tuple(writes), heeds_term=r.random() < 0.8)
