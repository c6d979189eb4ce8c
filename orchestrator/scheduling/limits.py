"""The limits of projects and keys while a plan fills them: counted from what runs, plus what this
look has placed. What they forbid is said in jobs/allowance.py. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from jobs.allowance import (
    NO_LIMITS,
    NOTHING,
    Amounts,
    KeyUse,
    Refusal,
    Share,
    beyond,
    of_key,
    refusal,
)
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
        self._limited = {p.id: p for p in projects.values() if p.paused or p.limits != NO_LIMITS}
        self._shares: dict[int, Share] = {}
        self._live = {name: len(view.jobs) for name, view in keys.items()}
        self._kept_keys: dict[tuple[int, str], tuple[int, Asking]] = {}
        self._kept: dict[int, tuple[int, Asking]] = {}

    @classmethod
    def of(cls, snapshot: Snapshot) -> Limits:
        """As they stand when the look begins."""
        return cls(snapshot.projects, snapshot.keys)

    def refusal(self, waiting: Asking) -> Refusal | None:
        """What forbids one more job of this class to start; None where nothing does."""
        project, key = self._limited.get(waiting.project), self._key(waiting)
        if project is None:
            return None if key is None else of_key(key)
        more = Amounts(*_amounts(waiting.demand))
        return refusal(self._share(project, waiting), key, more)

    def never(self, waiting: Asking) -> bool:
        """Whether it would be refused even if nothing of its project and its key ran."""
        project = self._projects.get(waiting.project)
        if project is None:
            return False
        more = Amounts(*_amounts(waiting.demand))
        return bool(project.paused or beyond(project.slug, project.limits, NOTHING, more))

    def keep(self, waiting: Asking, job: int) -> None:
        """What this overdue job waits for goes to no other: its key, and, once it has a place
        in that, what its project's limits leave without what it asks for. Neither is kept for two.

        In this order, as providers are kept free after both: two that each keep what the other
        one waits for would wait for ever.
        """
        if waiting.key is not None:
            self._kept_keys.setdefault((waiting.project, waiting.key.name), (job, waiting))
        key = self._key(waiting)
        if key is None or of_key(key) is None:
            self._kept.setdefault(waiting.project, (job, waiting))
            self._shares.pop(waiting.project, None)

    def take(self, waiting: Asking) -> None:
        """One job of this class has started."""
        used = self._used.get(waiting.project)
        self._shares.pop(waiting.project, None)
        if used is not None:
            for at, amount in enumerate(_amounts(waiting.demand)):
                used[at] += amount
        if waiting.key is not None:
            key = (waiting.project, waiting.key.name)
            self._live[key] = self._live.get(key, 0) + 1

    def _share(self, project: ProjectView, waiting: Asking) -> Share:
        job, first = self._kept.get(project.id, (0, waiting))
        share = self._shares.get(project.id)
        if share is None:
            used, kept = Amounts(*self._used[project.id]), Amounts(*_amounts(first.demand))
            share = Share(project.slug, project.paused, project.limits, used, job, kept)
            self._shares[project.id] = share
        return replace(share, kept_for=0) if job and first is waiting else share

    def _key(self, waiting: Asking) -> KeyUse | None:
        if waiting.key is None:
            return None
        name = (waiting.project, waiting.key.name)
        job, first = self._kept_keys.get(name, (0, waiting))
        kept_limit = first.key.limit if first.key is not None else 0
        live = self._live.get(name, 0)
        return KeyUse(
            waiting.key.name, waiting.key.limit, live, 0 if first is waiting else job, kept_limit
        )


def _amounts(demand: Demand) -> tuple[int, int, int, int]:
    return 1, demand.cpu_millis, demand.memory_mb, demand.gpus
