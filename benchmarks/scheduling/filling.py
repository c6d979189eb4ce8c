"""How much of a cluster can be given out: tasks come in a shuffled order and never end, until
what came is more than there is."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchmarks.scheduling.openb import Task
from benchmarks.scheduling.simulation import Scheduler
from benchmarks.scheduling.world import World
from orchestrator.scheduling.snapshot import ProjectView, ProviderView

BEYOND = 1.3
"""Tasks come until they ask for so many times the GPUs that there are."""
AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Filled:
    """The parts of CPU, memory and GPUs given out in the end; `course` has (GPUs asked for,
    GPUs given out), both as parts of all."""

    cpu: float
    memory: float
    gpus: float
    course: tuple[tuple[float, float], ...]


def fill(
    tasks: Sequence[Task],
    providers: Sequence[ProviderView],
    projects: Sequence[ProjectView],
    scheduler: Scheduler,
    seed: int,
) -> Filled:
    """Fill an idle cluster: fifty tasks come between two looks, drawn with replacement."""
    chance = random.Random(f"fill {seed}")
    world = World(providers, projects, patience=float("1e12"))
    gpus = sum(view.total_gpus for view in providers)
    asked, job, course = 0, 0, [(0.0, 0.0)]
    while asked < BEYOND * gpus:
        for _ in range(AT_ONCE):
            job += 1
            one = replace(chance.choice(tasks).arrival, job=job)
            asked += one.demand.gpus
            world.arrive(one, float(job))
        world.commit(scheduler(world.snapshot(float(job))))
        course.append((asked / gpus, 1 - _free(world, "gpus")))
    return Filled(
        1 - _free(world, "cpu_millis"), 1 - _free(world, "memory_mb"), 1 - _free(world, "gpus"),
        tuple(course),
    )  # fmt: skip


def _free(world: World, amount: str) -> float:
    views = world.providers.values()
    free = sum(getattr(view, f"free_{amount}") for view in views)
    return float(free / sum(getattr(view, f"total_{amount}") for view in views))
