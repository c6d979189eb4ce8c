"""What keeps a job from starting although there is room: the limits and the pause of its project,
and its concurrency key. Pure: the planner decides by it and pages tell by it, so that the two
cannot differ. A refusal is a code of jobs/reasons.py with its numbers, which change rarely.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from projects.quantities import cores_text, memory_text


@dataclass(frozen=True, slots=True)
class Amounts:
    """Running jobs and what they hold, in thousandths of a core, MiB and GPUs; as limits, None
    bounds nothing."""

    running: int | None = None
    cpu_millis: int | None = None
    memory_mb: int | None = None
    gpus: int | None = None

    def each(self) -> tuple[int | None, int | None, int | None, int | None]:
        """All four, in their order."""
        return self.running, self.cpu_millis, self.memory_mb, self.gpus


NO_LIMITS = Amounts()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why jobs wait: a code of jobs/reasons.py with its numbers."""

    reason: str
    detail: Mapping[str, Any]


def beyond(project: str, limits: Amounts, used: Amounts, more: Amounts) -> Refusal | None:
    """What forbids a project that uses so much to start a job that needs `more`."""
    for bound, has, needs, words in zip(
        limits.each(), used.each(), more.each(), _WORDS, strict=True
    ):
        if bound is None or not needs or (has or 0) + needs <= bound:
            continue
        detail = {"project": project, "limit": words(bound)}
        if needs > bound:
            return Refusal("above_project_limit", detail | {"need": words(needs)})
        return Refusal("project_limit", detail)
    return None


def paused(project: str, why: str) -> Refusal | None:
    """What a pause forbids; `why` is who and why in words, "" without a pause."""
    return Refusal("paused", {"project": project, "why": why}) if why else None


def key_full(key: str, limit: int, live: int) -> Refusal | None:
    """What a concurrency key forbids of which so many jobs are placed or run."""
    return Refusal("key_limit", {"key": key, "limit": limit}) if live >= limit else None


def bounding(limits: Amounts, told: str) -> int:
    """Which of the four measures it is that a refusal tells of as its limit; the first where that
    is another one by now."""
    for at, (bound, words) in enumerate(zip(limits.each(), _WORDS, strict=True)):
        if bound is not None and words(bound) == told:
            return at
    return 0


def kept_for(job: int, what: str) -> Refusal:
    """What is forbidden for the sake of a job that has waited longest, of which `what` is kept."""
    return Refusal("kept_limit", {"job": job, "what": what})


def _jobs(number: int) -> str:
    return f"{number} running job" if number == 1 else f"{number:,} running jobs"


_WORDS: tuple[Callable[[int], str], ...] = (
    _jobs,
    lambda millis: f"{cores_text(millis)} CPU",
    lambda mib: f"{memory_text(mib)} of memory",
    lambda gpus: f"{gpus} GPU",
)
