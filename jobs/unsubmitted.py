"""A job that is not there, as far as the planner would go by it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jobs.asks import ask
from jobs.orders import requirements
from providers.fit import Need


@dataclass(frozen=True, slots=True)
class Unsubmitted:
    """Its spec, with all its defaults, and what a job's own columns have of it."""

    spec: Mapping[str, Any]
    image: str
    labels: Mapping[str, Any]
    cpu_millis: int
    memory_mb: int
    gpus: int


def demand_of(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The demand of a spec with all its defaults (jobs/asks.py)."""
    amounts = spec["resources"]
    job = Unsubmitted(
        spec=spec,
        image=str(spec.get("image") or ""),
        labels=spec.get("labels") or {},
        cpu_millis=round(amounts["cpu_cores"] * 1000),
        memory_mb=amounts["memory_mb"],
        gpus=amounts["gpus"],
    )
    found: dict[str, Any] = json.loads(ask(job, 0, 0).demand)
    return found


def need_of_demand(demand: Mapping[str, Any]) -> Need:
    """The same as what a provider is asked."""
    return Need(
        demand["cpu_millis"],
        demand["memory_mb"],
        demand["gpus"],
        demand["provider"],
        requirements(demand["requires"]),
        tuple((label, value) for label, value in demand["apart"]),
    )
