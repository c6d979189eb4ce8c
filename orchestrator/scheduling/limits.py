"""What keeps a job from starting although there is room: its project's pause and limits, and
its concurrency key. All is counted from what runs, plus what this look has placed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from orchestrator.scheduling.snapshot import Demand, Key, KeyView, ProjectView, Snapshot
from projects.quantities import cores_text, memory_text


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why jobs wait: a code of jobs/reasons.py with its numbers."""

    reason: str
    detail: Mapping[str, Any]


class Asking(Protocol):
    """A job, or a class of jobs, as far as limits go."""

    @property
    def project(self) -> int: ...
    @property
    def demand(self) -> Demand: ...
    @property
    def key(self) -> Key | None: ...


class Limits:
    """The limits of all projects and keys, while a plan fills them."""

    def __init__(
        self, projects: Mapping[int, ProjectView], keys: Mapping[tuple[int, str], KeyView]
    ) -> None:
        self._projects = projects
        self._used = {
            p.id: [p.running, p.cpu_millis, p.memory_mb, p.gpus] for p in projects.values()
        }
        self._live = {name: len(view.jobs) for name, view in keys.items()}

    @classmethod
    def of(cls, snapshot: Snapshot) -> Limits:
        """As they stand when the look begins."""
        return cls(snapshot.projects, snapshot.keys)

    def refusal(self, waiting: Asking) -> Refusal | None:
        """What forbids one more job of this class to start; None where nothing does."""
        project = self._projects.get(waiting.project)
        if project is not None and project.paused:
            return Refusal("paused", {"project": project.slug, "why": project.paused})
        if waiting.key is not None:
            live = self._live.get((waiting.project, waiting.key.name), 0)
            if live >= waiting.key.limit:
                key, limit = waiting.key.name, waiting.key.limit
                return Refusal("key_limit", {"key": key, "limit": limit})
        return None if project is None else self._beyond(project, waiting.demand)

    def take(self, waiting: Asking) -> None:
        """One job of this class has started."""
        demand = waiting.demand
        used = self._used.get(waiting.project)
        if used is not None:
            for at, amount in enumerate(_amounts(demand)):
                used[at] += amount
        if waiting.key is not None:
            key = (waiting.project, waiting.key.name)
            self._live[key] = self._live.get(key, 0) + 1

    def _beyond(self, project: ProjectView, demand: Demand) -> Refusal | None:
        limits = project.limits
        bounds = (limits.running, limits.cpu_millis, limits.memory_mb, limits.gpus)
        for used, more, bound, words in zip(
            self._used[project.id], _amounts(demand), bounds, _WORDS, strict=True
        ):
            if bound is not None and more and used + more > bound:
                detail = {"project": project.slug, "limit": words(bound)}
                reason = "project_limit" if more <= bound else "above_project_limit"
                return Refusal(reason, detail if more <= bound else detail | {"need": words(more)})
        return None


def _amounts(demand: Demand) -> tuple[int, int, int, int]:
    return 1, demand.cpu_millis, demand.memory_mb, demand.gpus


def _jobs(number: int) -> str:
    return f"{number} running job" if number == 1 else f"{number:,} running jobs"


_WORDS = (
    _jobs,
    lambda millis: f"{cores_text(millis)} CPU",
    lambda mib: f"{memory_text(mib)} of memory",
    lambda gpus: f"{gpus} GPU",
)
