"""What would let a job start that waits for room: which jobs would have to end, or how much less
it would have to ask for. Pure; nobody knows when a job ends, so no time is promised."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from jobs.spec import LEAST_CPU_MILLIS, LEAST_MEMORY_MB
from projects.quantities import amounts_text, listed
from providers.fit import Answer, Fit, Need

MOST_LIVE = 200
"""So much of what runs on a provider is looked at, the oldest."""
MOST_JOBS = 3
"""So many jobs are named; of more only the number is told."""
MOST_WAYS = 3


class Named(Protocol):
    """A provider, as far as it is named."""

    @property
    def pk(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def slots(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Live:
    """What a live attempt holds of its provider, whose job it is."""

    job: int
    project: int
    cpu_millis: int
    memory_mb: int
    gpus: int


def ways_out(
    found: Sequence[tuple[Named, Fit]],
    live: Mapping[int, Sequence[Live]],
    visible: Collection[int] | None,
    lessened: Need | None = None,
) -> tuple[str, ...]:
    """Sentences, the nearest way first. `found` are providers and what they say,
    the nearest to a yes first; `live` is what runs on each, the oldest MOST_LIVE; only
    jobs of the projects in `visible` (None: of all) are named. `lessened`: what the job needs,
    where it would start at once if that were less; None where something else keeps it too."""
    ways: list[str] = []
    for provider, one in found:
        if one.answer not in (Answer.FULL, Answer.BESIDE):
            continue
        there = live.get(provider.pk, ())
        ending = _until_it_fits(one, there)
        if ending:
            words = "ends" if len(ending) == 1 else "end"
            ways.append(f"Fits on {provider.name} when {_jobs(ending, visible)} {words}.")
        elif len(there) >= MOST_LIVE and provider.slots != 0 and not one.jobs:
            words = f"the {MOST_LIVE} oldest would not do"
            ways.append(f"Fits on {provider.name} when enough of its jobs have ended: {words}.")
        if lessened is not None and not one.jobs and (amounts := _less(lessened, one)):
            ways.append(f"Would start on {provider.name} now with {amounts} less.")
    return tuple(ways[: 2 * MOST_WAYS])


def _less(need: Need, one: Fit) -> str:
    """What would have to be left out of the need, rounded up to what is told; "" where what is
    left would be no job any more."""
    cpu, memory = -(-one.lacks_cpu_millis // 10) * 10, float(one.lacks_memory_mb)
    if memory >= 1024:
        memory = -(-one.lacks_memory_mb * 10 // 1024) * 1024 / 10  # GiB are told in tenths
    if (
        one.lacks_slots
        or need.cpu_millis - cpu < LEAST_CPU_MILLIS
        or need.memory_mb - memory < LEAST_MEMORY_MB
        or need.gpus < one.lacks_gpus
    ):
        return ""
    return amounts_text(cpu, memory, one.lacks_gpus)


def _until_it_fits(one: Fit, live: Sequence[Live]) -> list[Live]:
    """The fewest of the running jobs whose end makes room: one alone if one is enough, else the
    oldest together; first of all those that it keeps apart from. None where even all of them
    would not do."""
    ending = [job for job in live if job.job in one.jobs]
    if len(ending) < len(one.jobs):
        return []  # more runs there than was looked at
    others = [job for job in live if job.job not in one.jobs]
    if ending and _enough(one, ending):
        return ending
    for job in others:
        if _enough(one, [*ending, job]):
            return [*ending, job]
    for job in others:
        ending.append(job)
        if _enough(one, ending):
            return ending
    return []


def _enough(one: Fit, ending: Sequence[Live]) -> bool:
    return (
        len(ending) >= one.lacks_slots
        and sum(job.cpu_millis for job in ending) >= one.lacks_cpu_millis
        and sum(job.memory_mb for job in ending) >= one.lacks_memory_mb
        and sum(job.gpus for job in ending) >= one.lacks_gpus
    )


def _jobs(ending: Sequence[Live], visible: Collection[int] | None) -> str:
    names = [
        f"job {job.job}" if visible is None or job.project in visible else "another project's job"
        for job in ending
    ]
    if len(names) > MOST_JOBS:
        names = [*names[:MOST_JOBS], f"{len(names) - MOST_JOBS} more"]
    return listed(names)
