"""What planner tests are made of: classes, providers and projects of a snapshot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from jobs.allowance import Amounts
from orchestrator.scheduling.policy import Plan, plan
from orchestrator.scheduling.snapshot import (
    Demand,
    Key,
    KeyView,
    ProjectView,
    ProviderView,
    Snapshot,
    WaitingClass,
)

NOW = 100_000.0
PATIENCE = 3600.0


def place(name: str = "one", number: int = 1, cpu: int = 4000, **facts: Any) -> ProviderView:
    """An idle provider of 4 cores and 8 GiB."""
    return replace(ProviderView(number, name, {}, cpu, 8192, 0, cpu, 8192, 0), **facts)


def waiting(
    *jobs: int,
    cpu: int = 1000,
    memory: int = 512,
    project: int = 1,
    priority: int = 50,
    waited: float | Sequence[float] = 0.0,
    key: Key | None = None,
    more: bool = False,
    told: tuple[str, dict[str, Any]] = ("queued", {}),
    **asked: Any,
) -> WaitingClass:
    """A class with these jobs, all waiting for `waited` seconds or each for its own; its id
    is a hundred times the first of them."""
    waits = waited if isinstance(waited, Sequence) else [waited] * len(jobs)
    return WaitingClass(
        id=jobs[0] * 100,
        project=project,
        priority=priority,
        demand=Demand(cpu, memory, **asked),
        jobs=jobs,
        since=tuple(NOW - each for each in waits),
        more=more,
        key=key,
        told=told,
    )


def project(number: int = 1, **facts: Any) -> ProjectView:
    """A project of weight 100 of which nothing runs; amounts are its limits."""
    limits = {k: facts.pop(k) for k in ("running", "cpu_millis", "memory_mb", "gpus") if k in facts}
    return replace(ProjectView(number, f"team-{number}"), limits=Amounts(**limits), **facts)


def look(
    classes: Iterable[WaitingClass],
    *providers: ProviderView,
    projects: Iterable[ProjectView] = (),
    keys: dict[tuple[int, str], KeyView] | None = None,
) -> Snapshot:
    """A snapshot of these."""
    return Snapshot(
        classes=tuple(classes),
        providers=providers,
        projects={one.id: one for one in projects},
        keys=keys or {},
        now=NOW,
        patience=PATIENCE,
    )


def planned(
    classes: Iterable[WaitingClass],
    *providers: ProviderView,
    projects: Iterable[ProjectView] = (),
    keys: dict[tuple[int, str], KeyView] | None = None,
) -> Plan:
    """The plan for these."""
    return plan(look(classes, *providers, projects=projects, keys=keys))


def order_of(made: Plan) -> list[int]:
    """The jobs that were placed, in their order."""
    return [p.job for p in made.placements]


def where(made: Plan) -> list[str]:
    """The providers that were chosen, in the order of the placements."""
    return [p.provider_name for p in made.placements]


def reason_of(made: Plan, first_job: int) -> str:
    """Why the class with this first job waits."""
    return next(w.reason for w in made.waits if w.waiting == first_job * 100)


def detail_of(made: Plan, first_job: int) -> dict[str, Any]:
    """The numbers of that reason."""
    return next(dict(w.detail) for w in made.waits if w.waiting == first_job * 100)
