"""`plan`: where each waiting job goes, or why it waits. Pure: no I/O, no clock, no chance.

The queue is walked in its order. Jobs of equal demand are one class: within a walk free
capacity only shrinks, so once one of a class does not fit, none after it does, and each
gets the same reason without a second look.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator.scheduling.snapshot import Demand, ProviderView, Snapshot
from projects.quantities import memory_text
from providers.fit import matches


@dataclass(frozen=True, slots=True)
class Placed:
    """This job goes to that provider."""

    job: int
    provider: int
    provider_name: str
    demand: Demand


@dataclass(frozen=True, slots=True)
class Waiting:
    """This job waits, for a reason of jobs/reasons.py with its numbers."""

    job: int
    reason: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """Placements and, for every job passed over, a reason."""

    placements: tuple[Placed, ...]
    waits: tuple[Waiting, ...]
    expired: tuple[int, ...] = ()
    """Jobs that end here: they waited past their own queue limit."""


@dataclass(slots=True)
class _Room:
    """A provider while the plan fills it."""

    view: ProviderView
    cpu: int
    memory: int
    gpus: int
    slots: int | None

    def fits(self, demand: Demand) -> bool:
        return (
            demand.cpu_millis <= self.cpu
            and demand.memory_mb <= self.memory
            and demand.gpus <= self.gpus
            and self.slots != 0
        )

    def take(self, demand: Demand) -> None:
        self.cpu -= demand.cpu_millis
        self.memory -= demand.memory_mb
        self.gpus -= demand.gpus
        if self.slots is not None:
            self.slots -= 1

    def load(self) -> float:
        """The fuller of CPU and memory, 0 to 1: the emptiest provider is chosen."""
        view = self.view
        cpu = 1 - self.cpu / view.total_cpu_millis if view.total_cpu_millis else 1.0
        memory = 1 - self.memory / view.total_memory_mb if view.total_memory_mb else 1.0
        return max(cpu, memory)


def plan(snapshot: Snapshot) -> Plan:
    """Place what fits, in the queue's order; say of everything else why it waits."""
    rooms = [
        _Room(p, p.free_cpu_millis, p.free_memory_mb, p.free_gpus, p.free_slots)
        for p in snapshot.providers
    ]
    candidates: dict[Demand, list[_Room]] = {}
    refused: dict[Demand, tuple[str, Mapping[str, Any]]] = {}
    placements: list[Placed] = []
    waits: list[Waiting] = []
    expired: list[int] = []
    for job in snapshot.queue:
        if job.expired:
            expired.append(job.id)
            continue
        demand = job.demand
        if demand not in refused:
            if demand not in candidates:
                candidates[demand] = [r for r in rooms if _may_ever(r.view, demand)]
            fitting = [r for r in candidates[demand] if not r.view.down and r.fits(demand)]
            if fitting:
                room = min(fitting, key=lambda r: (r.load(), r.view.id))
                room.take(demand)
                placements.append(Placed(job.id, room.view.id, room.view.name, demand))
                continue
            refused[demand] = _why(demand, rooms, candidates[demand])
        reason, detail = refused[demand]
        waits.append(Waiting(job.id, reason, detail))
    return Plan(tuple(placements), tuple(waits), tuple(expired))


def _selected(view: ProviderView, demand: Demand) -> bool:
    if demand.provider and demand.provider != view.name:
        return False
    return all(matches(r, view.labels) for r in demand.requires)


def _large_enough(view: ProviderView, demand: Demand) -> bool:
    return (
        demand.cpu_millis <= view.total_cpu_millis
        and demand.memory_mb <= view.total_memory_mb
        and demand.gpus <= view.total_gpus
    )


def _may_ever(view: ProviderView, demand: Demand) -> bool:
    return _selected(view, demand) and _large_enough(view, demand)


def _why(
    demand: Demand, rooms: Sequence[_Room], candidates: Sequence[_Room]
) -> tuple[str, Mapping[str, Any]]:
    """The reason of a class that fits nowhere now. Its numbers change rarely, so that
    storing it for a long queue costs little; free amounts are read when it is shown."""
    if not rooms:
        return "no_provider", {}
    if not candidates:
        selected = [r.view for r in rooms if _selected(r.view, demand)]
        if not selected:
            return "no_match", {"why": _selection(demand)}
        # Nobody knows the size of a place that never answered.
        known = [view for view in selected if view.total_memory_mb]
        if not known and selected[0].down:
            return selected[0].down_reason, {"provider": selected[0].name, "why": selected[0].down}
        largest = max(
            known or selected, key=lambda v: (v.total_gpus, v.total_memory_mb, v.total_cpu_millis)
        )
        return "too_large", {
            "need": amount(demand.cpu_millis, demand.memory_mb, demand.gpus),
            "largest": amount(
                largest.total_cpu_millis, largest.total_memory_mb, largest.total_gpus
            ),
        }
    up = [r for r in candidates if not r.view.down]
    if not up:
        view = candidates[0].view
        return view.down_reason, {"provider": view.name, "why": view.down}
    best = min(up, key=lambda r: (r.load(), r.view.id))
    return "no_capacity", {
        "need": amount(demand.cpu_millis, demand.memory_mb, demand.gpus),
        "best": best.view.name if len(up) == 1 else f"all {len(up)} fitting providers",
    }


def _selection(demand: Demand) -> str:
    words = [f"provider {demand.provider}"] if demand.provider else []
    words += [f"{r.key} {r.op} {', '.join(r.values)}".strip() for r in demand.requires]
    return "it asks for " + " and ".join(words)


def amount(cpu_millis: int, memory_mb: int, gpus: int = 0) -> str:
    """An amount in words: "1.5 CPU, 512 MiB"."""
    words = f"{cpu_millis / 1000:g} CPU, {memory_text(memory_mb)}"
    return f"{words}, {gpus} GPU" if gpus else words
