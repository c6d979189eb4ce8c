"""Snapshots of any shape, for properties of the planner.

Made from a seed that hypothesis draws: drawn piece by piece they are mostly empty, and nearly
nothing is ever placed.
"""

from __future__ import annotations

from random import Random

from hypothesis import strategies as st

from jobs.allowance import NO_LIMITS, Amounts
from orchestrator.scheduling.snapshot import (
    Demand,
    Key,
    KeyView,
    Overflow,
    ProjectView,
    ProviderView,
    Requirement,
    Snapshot,
    WaitingClass,
)
from tests.support.planning import NOW, PATIENCE

LABELS = ("disk", "zone", "gbit")
VALUES = ("a", "b", "8", "16")
OPERATORS = ("eq", "neq", "in", "not_in", "exists", "not_exists", "gt", "lt")
IMAGES = ("tool", "base")
KEYS = ("deploy", "load")
PROJECTS = (1, 2, 3)
APART = (("app", "db"), ("app", "web"))
AGES = (0.0, 0.0, 1.0, 900.0, 900.5, 1800.0, 3599.0)
OVERDUE_AGES = (3600.0, 3601.0, 9000.0)

# of 64 bits, because hypothesis likes small numbers and those near the ends
chances = st.binary(min_size=8, max_size=8).map(Random)


def demand(chance: Random) -> Demand:
    """Mostly small; sometimes pinned, with a condition, or larger than anything."""
    condition = Requirement(
        chance.choice(LABELS), chance.choice(OPERATORS), (chance.choice(VALUES),)
    )
    return Demand(
        cpu_millis=20_000 if chance.random() < 0.04 else chance.choice((100, 500, 500, 1000, 3000)),
        memory_mb=100_000 if chance.random() < 0.04 else chance.choice((64, 400, 512, 4096)),
        gpus=chance.choice((0, 0, 0, 0, 0, 0, 1, 2)),
        provider=chance.choice(("p1", "p2", "nobody")) if chance.random() < 0.1 else "",
        requires=(condition,) if chance.random() < 0.15 else (),
        apart=chance.choice((APART[:1], APART)) if chance.random() < 0.25 else (),
        image=chance.choice(("", *IMAGES)),
    )


def provider(chance: Random, number: int) -> ProviderView:
    """One; what is free may be negative: an operator made a busy provider smaller."""
    cpu = 0 if chance.random() < 0.05 else chance.choice((2000, 8000, 8000))
    memory = chance.choice((512, 16_384, 16_384, 16_384))
    gpus = chance.choice((0, 0, 0, 1, 2, 4))
    down = chance.random() < 0.15
    beside = ((chance.choice(PROJECTS), *chance.choice(APART)),)
    return ProviderView(
        id=number,
        name=f"p{number}",
        labels={label: chance.choice(VALUES) for label in LABELS if chance.random() < 0.6},
        total_cpu_millis=cpu,
        total_memory_mb=memory,
        total_gpus=gpus,
        free_cpu_millis=chance.choice((-500, 0, cpu // 2, cpu - 300, cpu, cpu)),
        free_memory_mb=chance.choice((-500, memory // 2, memory - 100, memory, memory)),
        free_gpus=chance.choice((-1, 0, gpus, gpus, gpus // 2)) if gpus else 0,
        free_slots=chance.randrange(6) if chance.random() < 0.25 else None,
        down_reason="provider_down" if down else "",
        down="it is draining" if down else "",
        pack=chance.random() < 0.5,
        cost_per_hour=chance.choice((0.0, 0.0, 0.5, 2.0)),
        images=frozenset(image for image in IMAGES if chance.random() < 0.5),
        apart=frozenset(beside if chance.random() < 0.25 else ()),
    )


def project(chance: Random, number: int) -> ProjectView:
    """One, which may hold more than its limits: they were lowered."""
    bounds = Amounts(
        running=chance.choice((None, None, 2, 6)),
        cpu_millis=chance.choice((None, None, 400, 4000, 9000)),
        memory_mb=chance.choice((None, None, 4096, 9000)),
        gpus=chance.choice((None, None, 0, 2)),
    )
    return ProjectView(
        id=number,
        slug=f"team-{number}",
        weight=chance.choice((1, 50, 100, 100, 300)),
        running=chance.randrange(4),
        cpu_millis=chance.choice((0, 0, 500, 3000)),
        memory_mb=chance.choice((0, 0, 512, 5000)),
        gpus=chance.choice((0, 0, 1)),
        limits=bounds if chance.random() < 0.6 else NO_LIMITS,
        paused="by ada" if chance.random() < 0.1 else "",
    )


def snapshot(chance: Random, *, calm: bool = False) -> Snapshot:
    """Up to ten classes against up to six providers, sometimes twenty. `calm`: no job is
    overdue, all that wait are read, and keys let wait: two looks see the same."""
    classes, providers = chance.randrange(11), chance.choice((0, 1, 2, 3, 4, 5, 6, 20))
    ages = AGES + OVERDUE_AGES if not calm and chance.random() < 0.6 else AGES
    hurries = (
        not calm and chance.random() < 0.5
    )  # jobs with keys that cancel, which is looked at again
    # retries are older than what came while they ran: numbers in no order
    numbers = chance.sample(range(10, 1000, 10), 80)
    made = []
    for number in range(1, classes + 1):
        count = chance.choice((1, 1, 2, 3, 5, 8))
        queued = sorted((NOW - chance.choice(ages), numbers.pop()) for _ in range(count))
        overflow = chance.choice(tuple(Overflow)) if hurries else Overflow.QUEUE
        key = Key(chance.choice(KEYS), chance.randrange(1, 5), overflow)
        made.append(
            WaitingClass(
                id=number,
                project=chance.choice(PROJECTS),
                priority=chance.choice((0, 50, 50, 50, 51, 100)),
                demand=demand(chance),
                jobs=tuple(job for _, job in queued),
                since=tuple(since for since, _ in queued),
                more=not calm and chance.random() < 0.08,
                key=key if chance.random() < 0.4 else None,
            )
        )
    chance.shuffle(made)
    return Snapshot(
        classes=tuple(made),
        providers=tuple(provider(chance, number) for number in range(1, providers + 1)),
        projects={number: project(chance, number) for number in PROJECTS},
        keys={(of, key): _live(chance, of, at) for of in PROJECTS for at, key in enumerate(KEYS)},
        now=NOW,
        patience=PATIENCE,
    )


def snapshots(*, calm: bool = False) -> st.SearchStrategy[Snapshot]:
    """Of any seed."""
    return chances.map(lambda chance: snapshot(chance, calm=calm))


def _live(chance: Random, project: int, at: int) -> KeyView:
    numbers = range(2 * project + at, 1000, 10)
    jobs = tuple(sorted(chance.sample(numbers, chance.choice((0, 0, 1, 3)))))
    return KeyView(jobs, frozenset(jobs[: chance.randrange(2)]))
