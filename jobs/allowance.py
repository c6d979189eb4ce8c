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
NOTHING = Amounts(0, 0, 0, 0)
KEPT_LIMIT = "kept_limit"
"""The reason of what waits because a limit is kept for another."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why jobs wait: a code of jobs/reasons.py with its numbers."""

    reason: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class KeyUse:
    """A concurrency key as one more job meets it: the job's limit, how many with the key are
    placed or run, and for which overdue job, with which limit, it is kept (0: for none)."""

    name: str
    limit: int
    live: int
    kept_for: int = 0
    kept_limit: int = 0


@dataclass(frozen=True, slots=True)
class Share:
    """A project as one more of its jobs meets it: who paused it and why ("" where nobody did),
    its limits, what it uses, and for which overdue job how much of what they leave is kept (0:
    for none)."""

    project: str
    paused: str
    limits: Amounts
    used: Amounts
    kept_for: int = 0
    kept: Amounts = NOTHING


def refusal(share: Share | None, key: KeyUse | None, more: Amounts) -> Refusal | None:
    """What forbids one more job, which needs `more`, to start; None where nothing does. The pause
    is told first, then that it needs more than its project may use at all, then the key, then the
    project's limits; of either that it is used up before that the rest is kept."""
    if share is not None and share.paused:
        return Refusal("paused", {"project": share.project, "why": share.paused})
    if share is not None and (found := beyond(share.project, share.limits, NOTHING, more)):
        return found
    if key is not None and (found := of_key(key)):
        return found
    if share is None or share.limits == NO_LIMITS:
        return None
    if found := beyond(share.project, share.limits, share.used, more):
        return found
    if share.kept_for:
        pairs = zip(share.used.each(), share.kept.each(), strict=True)
        ahead = Amounts(*((used or 0) + (kept or 0) for used, kept in pairs))
        if found := beyond(share.project, share.limits, ahead, more):
            what = f"what {share.project} may use at once ({found.detail['limit']})"
            return Refusal(KEPT_LIMIT, {"job": share.kept_for, "what": what})
    return None


def of_key(key: KeyUse) -> Refusal | None:
    """What a concurrency key forbids."""
    if key.live >= key.limit:
        return Refusal("key_limit", {"key": key.name, "limit": key.limit})
    if key.kept_for and key.live + 1 >= min(key.kept_limit, key.limit):
        return Refusal(KEPT_LIMIT, {"job": key.kept_for, "what": f"the key {key.name}"})
    return None


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


def bounding(limits: Amounts, told: str) -> int:
    """Which of the four measures it is that a refusal tells of as its limit; the first where that
    is another one by now."""
    for at, (bound, words) in enumerate(zip(limits.each(), _WORDS, strict=True)):
        if bound is not None and words(bound) == told:
            return at
    return 0


def _jobs(number: int) -> str:
    return f"{number} running job" if number == 1 else f"{number:,} running jobs"


_WORDS: tuple[Callable[[int], str], ...] = (
    _jobs,
    lambda millis: f"{cores_text(millis)} CPU",
    lambda mib: f"{memory_text(mib)} of memory",
    lambda gpus: f"{gpus} GPU",
)
