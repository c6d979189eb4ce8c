"""A seeded load: providers of many sizes and jobs of many kinds."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

from benchmarks.scheduling.world import Arrival
from jobs.allowance import Amounts
from orchestrator.scheduling.snapshot import (
    Demand,
    Key,
    ProjectView,
    ProviderView,
    Requirement,
)

PROJECTS = 20
IMAGES = tuple(f"image-{number}" for number in range(60))
MODELS = ("a10", "l4", "t4", "v100")
ZONES = ("north", "south", "east", "west")
DISKS = ("ssd", "hdd")


def providers(count: int, seed: int = 1) -> list[ProviderView]:
    """Idle providers: 4 to 96 cores, 2 to 8 GiB a core less what the system keeps (so that
    hardly two are equal), one in five with GPUs, one in ten with slots, half of them packing."""
    chance = random.Random(f"providers {seed}")
    return [_provider(number, chance) for number in range(1, count + 1)]


def projects() -> list[ProjectView]:
    """Twenty with three weights; every fifth has a limit."""
    return [
        ProjectView(
            number,
            f"project-{number}",
            weight=(50, 100, 200)[number % 3],
            limits=Amounts(running=400) if number % 5 == 0 else Amounts(),
        )
        for number in range(1, PROJECTS + 1)
    ]


def jobs(count: int, kinds: int, seed: int = 1) -> Iterator[tuple[Arrival, float]]:
    """So many jobs of so many distinct classes, and how long each has waited in seconds, the
    longest first. The first class has most of them, the n-th a share of about 1/n; waits are
    exponential with a mean of 40 minutes."""
    chance = random.Random(f"jobs {seed}")
    classes = _classes(kinds, chance)
    weights = [1 / (at + 1) for at in range(kinds)]
    drawn = list(range(kinds)) + chance.choices(range(kinds), weights, k=max(0, count - kinds))
    waits = sorted((chance.expovariate(1 / 2400) for _ in range(count)), reverse=True)
    chance.shuffle(drawn)
    for number, (at, waited) in enumerate(zip(drawn[:count], waits, strict=True), start=1):
        yield replace(classes[at], job=number), waited


def _provider(number: int, chance: random.Random) -> ProviderView:
    cores = chance.choice((4, 8, 8, 16, 16, 32, 64, 96))
    memory = cores * 1024 * chance.choice((2, 4, 4, 8)) - chance.randrange(512)
    gpus = chance.choice((0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4, 8)) if cores >= 8 else 0
    slots = chance.randrange(4, 24) if chance.random() < 0.1 else None
    labels = {"zone": chance.choice(ZONES), "disk": chance.choice(DISKS)}
    if gpus:
        labels |= {"gpu_model": chance.choice(MODELS), "gpu_gib": chance.choice(("16", "24", "80"))}
    return ProviderView(
        number, f"node-{number}", labels,
        cores * 1000, memory, gpus, cores * 1000, memory, gpus, slots,
        pack=number % 2 == 0,
        cost_per_hour=round(cores * 0.04 + gpus * 0.9, 2),
        images=frozenset(chance.sample(IMAGES, 12)),
    )  # fmt: skip


def _classes(count: int, chance: random.Random) -> list[Arrival]:
    found: dict[object, Arrival] = {}
    while len(found) < count:
        one = _arrival(chance)
        found.setdefault(one.kind, one)
    return list(found.values())


def _arrival(chance: random.Random) -> Arrival:
    project = chance.randrange(1, PROJECTS + 1)
    cpu = round(100 * 160 ** chance.random())  # 0.1 to 16 cores, as many small as large
    gpus = chance.choice((1, 1, 1, 2, 4)) if chance.random() < 0.1 else 0
    demand = Demand(
        cpu_millis=cpu,
        memory_mb=min(48 * 1024, round(cpu / 1000 * 2048 * 2 ** chance.uniform(-2, 2)) + 64),
        gpus=gpus,
        requires=_requires(chance, gpus),
        apart=(("role", "db"),) if chance.random() < 0.02 else (),
        image=chance.choice(IMAGES),
    )
    key = Key(f"key-{chance.randrange(4)}", 50) if chance.random() < 0.05 else None
    return Arrival(0, project, chance.choice((10, 30, 50, 50, 50, 50, 70, 90)), demand, key)


def _requires(chance: random.Random, gpus: int) -> tuple[Requirement, ...]:
    asked: list[Requirement] = []
    if chance.random() < 0.2:
        asked.append(Requirement("zone", "in", tuple(chance.sample(ZONES, 2))))
    if chance.random() < 0.1:
        asked.append(Requirement("disk", "eq", ("ssd",)))
    if gpus and chance.random() < 0.5:
        asked.append(Requirement("gpu_gib", "gt", (chance.choice(("8", "20", "40")),)))
    return tuple(asked)
