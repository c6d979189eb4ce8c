"""What a job asks of the planner, as its class keeps it (jobs/queue_models.py).

A demand is a JSON object: `cpu_millis`, `memory_mb`, `gpus`, `image`, `provider` ("" where it
pins none), `requires`, `apart` (labels with their values that no job of its project may have where
it goes) and `key` (null, or its concurrency key's `name`, `limit` and `on_overflow`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from jobs.orders import SpecUnreadable, requirements


class Asking(Protocol):
    """A job, as far as the planner goes by it."""

    @property
    def spec(self) -> Any: ...
    @property
    def labels(self) -> Mapping[str, Any]: ...
    @property
    def image(self) -> str: ...
    @property
    def cpu_millis(self) -> int: ...
    @property
    def memory_mb(self) -> int: ...
    @property
    def gpus(self) -> int: ...


class Waiting(Protocol):
    """A job with its class, if it has one."""

    @property
    def spec(self) -> Any: ...
    @property
    def queue_class(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class Ask:
    """The class that a job belongs to: jobs with equal ones are all one to the planner.
    `demand` is JSON with sorted keys."""

    project: int
    priority: int
    demand: str

    @property
    def digest(self) -> bytes:
        """SHA-256 of the demand."""
        return hashlib.sha256(self.demand.encode()).digest()

    @property
    def pin(self) -> str:
        """The one provider that it may go to; "" where it may go to any."""
        return str(json.loads(self.demand)["provider"])

    def pinned_to(self, provider: str) -> Ask:
        """The same on that provider only; "" pins it nowhere. What it requires of a provider's
        labels stays."""
        return replace(self, demand=_json(json.loads(self.demand) | {"provider": provider}))


def ask(job: Asking, project: int, priority: int) -> Ask:
    """What a job asks. Of a spec that cannot be read only its columns count: wherever it is
    placed, its host ends it before anything is made."""
    spec = job.spec if isinstance(job.spec, Mapping) else {}
    demand = {
        "cpu_millis": job.cpu_millis,
        "memory_mb": job.memory_mb,
        "gpus": job.gpus,
        "image": job.image,
        "provider": str(spec.get("provider") or ""),
        "requires": _requires(spec),
        "apart": _apart(spec, job.labels),
        "key": _key(spec),
    }
    return Ask(project, priority, _json(demand))


def ask_again(project: int, priority: int, demand: Mapping[str, Any]) -> Ask:
    """An ask with the stored demand of a class."""
    return Ask(project, priority, _json(demand))


def pin_of(job: Waiting) -> str:
    """The one provider that a job may go to, "" where it may go to any: what its spec says,
    unless it was moved since."""
    if job.queue_class is not None:
        return str(job.queue_class.demand["provider"])
    return str(job.spec.get("provider") or "") if isinstance(job.spec, Mapping) else ""


def _requires(spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    try:
        found = requirements(spec.get("requires"))
    except SpecUnreadable:
        return []
    return [{"key": r.key, "op": r.op, "values": list(r.values)} for r in found]


def _apart(spec: Mapping[str, Any], labels: Mapping[str, Any]) -> list[list[str]]:
    named = spec.get("anti_affinity")
    keys = named if isinstance(named, list) else []
    return sorted([str(key), str(labels[key])] for key in keys if key in labels)


def _key(spec: Mapping[str, Any]) -> dict[str, Any] | None:
    found = spec.get("concurrency")
    if not isinstance(found, Mapping) or not found.get("key"):
        return None
    limit = found.get("limit")
    return {
        "name": str(found["key"]),
        "limit": limit if isinstance(limit, int) and limit > 0 else 1,
        "on_overflow": str(found.get("on_overflow") or "queue"),
    }


def _json(demand: Mapping[str, Any]) -> str:
    return json.dumps(demand, sort_keys=True)
