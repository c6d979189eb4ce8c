"""What is said of a course: use, waits, starvation, fairness."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.scheduling.simulation import Course


@dataclass(frozen=True, slots=True)
class Measures:
    """Of one scheduler in one setting. Waits are in seconds.

    `cpu` and `gpus` are the mean parts in use over the whole course, `allocated` that of the
    scarcer of both while anybody waited. `late`: jobs that started after the aging bound, of
    those `watched`, each of which was overdue and had waited longest of all. `jain` is Jain's
    index over what projects of equal weight held while anybody waited: 1 is equal.
    """

    jobs: int
    cpu: float
    gpus: float
    allocated: float
    wait_p50: float
    wait_p95: float
    wait_max: float
    wait_mean: float
    overdue: int
    watched: int
    late: int
    jain: float


def measures(course: Course) -> Measures:
    """The measures of a course."""
    came = {task.arrival.job: task.at for task in course.setting.tasks}
    waits = sorted(started - came[job] for job, started in course.started.items())
    spans = [
        (later[0] - level[0], level)
        for level, later in zip(course.levels, course.levels[1:], strict=False)
    ]
    contended = [(span, level) for span, level in spans if level[4]]
    return Measures(
        jobs=len(waits),
        cpu=_mean((span, level[1]) for span, level in spans),
        gpus=_mean((span, level[3]) for span, level in spans),
        allocated=max(
            _mean((span, level[1]) for span, level in contended),
            _mean((span, level[3]) for span, level in contended),
        ),
        wait_p50=_at(waits, 0.5),
        wait_p95=_at(waits, 0.95),
        wait_max=waits[-1],
        wait_mean=sum(waits) / len(waits),
        overdue=sum(wait >= course.setting.patience for wait in waits),
        watched=len(course.free_by),
        late=sum(course.started[job] > bound for job, bound in course.free_by.items()),
        jain=jain(list(course.held.values())),
    )


def jain(amounts: Sequence[float]) -> float:
    """Jain's index of fairness: 1 where all have the same, 1/n where one has all."""
    squares = sum(amount * amount for amount in amounts)
    return sum(amounts) ** 2 / (len(amounts) * squares) if squares else 1.0


def _mean(pairs: Iterable[tuple[float, float]]) -> float:
    total = weight = 0.0
    for span, value in pairs:
        total += span * value
        weight += span
    return total / weight if weight else 0.0


def _at(ordered: Sequence[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]
