"""The limits of projects and keys while a plan fills them: counted from what runs, plus what this
look has placed. What they forbid is said in jobs/allowance.py. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from jobs.allowance import Amounts, Refusal, beyond, key_full, paused
from orchestrator.scheduling.snapshot import Demand, Key, KeyView, ProjectView, Snapshot


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
            return paused(project.slug, project.paused)
        if waiting.key is not None:
            live = self._live.get((waiting.project, waiting.key.name), 0)
            if refusal := key_full(waiting.key.name, waiting.key.limit, live):
                return refusal
        if project is None or project.limits == Amounts():
            return None
        used = Amounts(*self._used[project.id])
        return beyond(project.slug, project.limits, used, Amounts(*_amounts(waiting.demand)))

    def take(self, waiting: Asking) -> None:
        """One job of this class has started."""
        used = self._used.get(waiting.project)
        if used is not None:
            for at, amount in enumerate(_amounts(waiting.demand)):
                used[at] += amount
        if waiting.key is not None:
            key = (waiting.project, waiting.key.name)
            self._live[key] = self._live.get(key, 0) + 1


def _amounts(demand: Demand) -> tuple[int, int, int, int]:
    return 1, demand.cpu_millis, demand.memory_mb, demand.gpus
