"""`simulate`: this scheduler against first come and best fit, on a trace and a made-up load."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Protocol

from benchmarks.scheduling import load, openb
from benchmarks.scheduling.baselines import best_fit, first_come
from benchmarks.scheduling.filling import Filled, fill
from benchmarks.scheduling.measures import Measures
from benchmarks.scheduling.openb import Task
from benchmarks.scheduling.simulation import Course, Scheduler, Setting
from benchmarks.scheduling.svg import Axis, Line, chart
from jobs.allowance import NO_LIMITS
from orchestrator.scheduling.policy import plan


class Replay(Protocol):
    """A load, with providers that pack or not."""

    def __call__(self, *, pack: bool) -> Setting: ...


SCHEDULERS: dict[str, tuple[Scheduler, bool]] = {
    "Gantry, pack": (plan, True),
    "Gantry, spread": (plan, False),
    "best fit": (best_fit, True),
    "first come": (first_come, True),
}
"""By name; with it whether providers pack, which only Gantry looks at."""
OURS = ("Gantry, pack", "Gantry, spread")
SEEDS = (1, 2, 3, 4, 5)
EVERY_NODE = 100
"""The trace's own times leave its cluster nearly empty: of its nodes, in the order of model and
size, every hundredth is kept: then there is too little for some days."""
TASKS, HOURS = 6_000, 24


def fillings(traces: Path, variant: str) -> Iterator[tuple[str, list[Filled]]]:
    """The whole cluster filled with the trace's tasks, once per seed and scheduler."""
    tasks = openb.tasks(traces, variant)
    for name, (scheduler, pack) in SCHEDULERS.items():
        nodes = openb.nodes(traces, pack=pack)
        yield name, [fill(tasks, nodes, openb.projects(), scheduler, seed) for seed in SEEDS]


def filling_head() -> str:
    """Of the rows that follow."""
    return "| scheduler | CPU | memory | GPUs |\n|---|---|---|---|"


def filling_row(name: str, found: Sequence[Filled]) -> str:
    """What was given out in the end, the mean of all seeds."""
    parts = (mean(f.cpu for f in found), mean(f.memory for f in found), mean(f.gpus for f in found))
    return f"| {name} | " + " | ".join(f"{part:.2%}" for part in parts) + " |"


def fills_no_worse(found: Mapping[str, Sequence[Filled]]) -> bool:
    """Whether at least as many GPUs are given out as by best fit, in the mean."""
    ours, theirs = (mean(f.gpus for f in found[name]) for name in ("Gantry, pack", "best fit"))
    return ours >= theirs


def settings(traces: Path | None, seed: int) -> Iterator[tuple[str, Replay]]:
    """The loads by name."""
    if traces is not None:
        yield "openb", partial(replay, traces)
    yield "made up", partial(made_up, seed)


def replay(traces: Path, *, pack: bool) -> Setting:
    """The trace in its own times on a part of its nodes."""
    tasks = openb.tasks(traces)
    nodes = openb.nodes(traces, pack=pack)
    nodes.sort(key=lambda view: (view.labels.get("gpu_model", ""), view.total_gpus, view.id))
    return Setting("openb", tasks, nodes[::EVERY_NODE], openb.projects())


def made_up(seed: int, *, pack: bool) -> Setting:
    """A day's arrivals on twenty providers: kinds, sizes and projects as in load.py, running for
    exponential times with means of ten minutes (four in five) or two hours; a wave over the
    day asks for more than there is at noon. Patience is an hour."""
    chance = random.Random(f"made up {seed}")
    providers = [replace(view, pack=pack) for view in load.providers(20, seed)]
    arrivals = [arrival for arrival, _ in load.jobs(TASKS, 300, seed)]
    chance.shuffle(arrivals)
    times = sorted(chance.triangular(0, HOURS * 3600, HOURS * 1800) for _ in arrivals)
    tasks = [
        Task(replace(one, job=job), at, 1 + chance.expovariate(1 / _mean(chance)))
        for job, (one, at) in enumerate(zip(arrivals, times, strict=True), 1)
    ]
    # first come knows no limits and keys, so nobody has any here
    tasks = [replace(t, arrival=replace(t.arrival, key=None)) for t in tasks]
    projects = [replace(view, weight=100, limits=NO_LIMITS) for view in load.projects()]
    return Setting("made up", tasks, providers, projects, patience=3600.0)


def _mean(chance: random.Random) -> float:
    return 600.0 if chance.random() < 0.8 else 7200.0


def table_head() -> str:
    """Of the rows that follow."""
    return (
        "| scheduler | jobs | CPU, GPUs in use | while anybody waited | wait p50, p95, max"
        " | overdue | late of watched | Jain |\n|---|---|---|---|---|---|---|---|"
    )


def row(name: str, found: Measures) -> str:
    """A line of the table."""
    waits = ", ".join(_time(w) for w in (found.wait_p50, found.wait_p95, found.wait_max))
    return (
        f"| {name} | {found.jobs:,} | {found.cpu:.1%}, {found.gpus:.1%} | {found.allocated:.1%} |"
        f" {waits} | {found.overdue:,} | {found.late} of {found.watched} | {found.jain:.3f} |"
    )


def _time(seconds: float) -> str:
    if seconds < 600:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def waits_plot(title: str, courses: dict[str, Course]) -> str:
    """Which part of the jobs waited longer than so long."""
    lines = []
    for name, course in courses.items():
        came = {task.arrival.job: task.at for task in course.setting.tasks}
        waits = sorted(max(1.0, at - came[job]) for job, at in course.started.items())
        step = max(1, len(waits) // 200)
        points = [(waits[at], 1 - at / len(waits)) for at in range(0, len(waits), step)]
        lines.append(Line(name, [*points, (waits[-1], 0.0)]))
    high = max(line.points[-1][0] for line in lines)
    marks = [
        (1.0, "1 s"),
        (60.0, "1 min"),
        (3600.0, "1 h"),
        (36_000.0, "10 h"),
        (360_000.0, "100 h"),
    ]
    return chart(
        title,
        Axis("waited longer than", 1, high, [m for m in marks if m[0] <= high], logarithmic=True),
        Axis("part of all jobs", 0, 1, [(part / 4, f"{part / 4:.0%}") for part in range(5)]),
        lines,
    )


def filling_plot(title: str, found: Mapping[str, Sequence[Filled]]) -> str:
    """GPUs given out against GPUs asked for, of the first seed."""
    lines = [Line(name, each[0].course) for name, each in found.items()]
    marks = [(at, f"{at:.0%}") for at in (0.8, 0.9, 1.0, 1.1, 1.2, 1.3)]
    return chart(
        title,
        Axis("GPUs asked for, of all there are", 0.8, 1.3, marks),
        Axis("given out", 0.8, 1.0, [(at, f"{at:.0%}") for at in (0.8, 0.85, 0.9, 0.95, 1.0)]),
        lines,
    )
