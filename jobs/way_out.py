"""What would let a job start that waits for room: which jobs would have to end, or how much less
it would have to ask for. Pure; nobody knows when a job ends, so no time is promised."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from projects.quantities import cores_text, memory_text
from providers.fit import Answer, Fit

MOST_JOBS = 3
"""So many jobs are named; of more only the number is told."""
MOST_WAYS = 3


class Named(Protocol):
    """A provider, as far as it is named."""

    @property
    def pk(self) -> int: ...
    @property
    def name(self) -> str: ...


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
) -> tuple[str, ...]:
    """Sentences, the nearest way first. `found` are providers and what they say,
    the nearest to a yes first; `live` is what runs on each, the oldest first; only
    jobs of the projects in `visible` (None: of all) are named."""
    ways: list[str] = []
    for provider, one in found:
        if one.answer is not Answer.FULL:
            continue
        ending = _until_it_fits(one, live.get(provider.pk, ()))
        if ending:
            words = "ends" if len(ending) == 1 else "end"
            ways.append(f"Fits on {provider.name} when {_jobs(ending, visible)} {words}.")
        if not one.lacks_slot:
            ways.append(f"Would start on {provider.name} now with {_amounts(one)} less.")
    return tuple(ways[: 2 * MOST_WAYS])


def _until_it_fits(one: Fit, live: Sequence[Live]) -> list[Live]:
    """The fewest of the running jobs whose end makes room: one alone if one is enough, else the
    oldest together; none where even all of them would not do."""
    for job in live:
        if _enough(one, [job]):
            return [job]
    ending: list[Live] = []
    for job in live:
        ending.append(job)
        if _enough(one, ending):
            return ending
    return []


def _enough(one: Fit, ending: Sequence[Live]) -> bool:
    return (
        sum(job.cpu_millis for job in ending) >= one.lacks_cpu_millis
        and sum(job.memory_mb for job in ending) >= one.lacks_memory_mb
        and sum(job.gpus for job in ending) >= one.lacks_gpus
    )


def _jobs(ending: Sequence[Live], visible: Collection[int] | None) -> str:
    names = [
        f"job {job.job}" if visible is None or job.project in visible else "another project's job"
        for job in ending
    ]
    if len(names) > MOST_JOBS:
        return f"{', '.join(names[:MOST_JOBS])} and {len(names) - MOST_JOBS} more"
    return _joined(names)


def _amounts(one: Fit) -> str:
    amounts = []
    if one.lacks_cpu_millis:
        amounts.append(f"{cores_text(one.lacks_cpu_millis)} CPU")
    if one.lacks_memory_mb:
        amounts.append(memory_text(one.lacks_memory_mb))
    if one.lacks_gpus:
        amounts.append(f"{one.lacks_gpus} GPU")
    return _joined(amounts)


def _joined(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
