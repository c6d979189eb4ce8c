"""Reading the line and what is in use: the scheduler's questions."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jobs.held import Held
from jobs.sql import fetch

Pair = tuple[int, str, str]
"""A project, a label of its jobs, and a value of that."""
DEEPEST = 4096
"""Of no class more jobs are read than these."""


@dataclass(frozen=True, slots=True)
class QueuedClass:
    """A class of the queue with the first of its jobs in their order, and since when each
    waits, in seconds of the epoch; `more` tells that there may be others behind. `demand` is as
    jobs/asks.py has it, as JSON."""

    id: int
    project: int
    priority: int
    demand: str
    reason: str
    detail: Mapping[str, Any]
    jobs: tuple[int, ...]
    since: tuple[float, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class InUse:
    """What live attempts hold, by provider and by project."""

    providers: Mapping[int, Held]
    projects: Mapping[int, Held]


def line(depth: int, deeper: Mapping[int, int]) -> list[QueuedClass]:
    """All classes in which jobs wait in line, with at most `depth` jobs of each, as many as
    `deeper` says of some, or DEEPEST where jobs with its concurrency key give way to others; and,
    without jobs, those that were told a reason that holds for nobody any more."""
    values = {"depth": depth, "deeper": json.dumps(dict(deeper)), "deepest": DEEPEST}
    return [
        QueuedClass(
            number, project, priority, demand, reason, _decoded(detail),
            tuple(jobs or ()), tuple(since or ()), more,
        )
        for number, project, priority, demand, reason, detail, jobs, since, more in fetch(
            "line", values
        )
    ]  # fmt: skip


def in_use() -> InUse:
    """What is held now."""
    providers: dict[int, Held] = {}
    projects: dict[int, Held] = {}
    for provider, project, *held in fetch("in_use"):
        if provider is not None:
            providers[provider] = Held(*held)
        else:
            projects[project] = Held(*held)
    return InUse(providers, projects)


def keys_in_use(
    keys: Collection[tuple[int, str]],
) -> dict[tuple[int, str], tuple[list[int], list[int]]]:
    """(project, concurrency key) → its live jobs, and those of them that are told to stop."""
    if not keys:
        return {}
    rows = json.dumps([{"project": project, "key": key} for project, key in keys])
    return {
        (project, key): (jobs, stopping)
        for project, key, jobs, stopping in fetch("keys_in_use", [rows])
    }


def live_labelled(pairs: Collection[Pair]) -> dict[int, dict[Pair, list[int]]]:
    """Provider → those of the pairs that its live jobs have → these jobs, whatever they keep apart
    from themselves."""
    found: dict[int, dict[Pair, list[int]]] = {}
    if pairs:
        for provider, project, label, value, jobs in fetch("live_labelled", [_pairs(pairs)]):
            found.setdefault(provider, {})[project, label, value] = jobs
    return found


def labelled(jobs: Collection[int], pairs: Collection[Pair]) -> dict[int, set[Pair]]:
    """Job → those of the pairs that it has."""
    found: dict[int, set[Pair]] = {}
    if pairs:
        values = {"jobs": list(jobs), "pairs": _pairs(pairs)}
        for job, project, label, value in fetch("labelled", values):
            found.setdefault(job, set()).add((project, label, value))
    return found


def _pairs(pairs: Collection[Pair]) -> str:
    return json.dumps([{"project": p, "label": label, "value": v} for p, label, v in pairs])


@lru_cache(maxsize=20_000)
def _decoded(text: str) -> Mapping[str, Any]:
    """The numbers of a reason; few differ, and they are read again and again."""
    found: Mapping[str, Any] = json.loads(text)
    return found
