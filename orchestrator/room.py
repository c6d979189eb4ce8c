"""What room providers have: for the planner's look, and again when its plan is committed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.utils import timezone

from jobs.queue import Held, held_capacity
from orchestrator.scheduling.policy import Placed
from orchestrator.scheduling.snapshot import ProviderView
from providers.models import Mode, Provider
from providers.probes import is_up

LOW_DISK_BYTES = 2 * 2**30
LOW_DISK_SHARE = 0.05
UNWATCHED = timedelta(seconds=90)
"""A provider that nobody has probed for so long may be anything: it gets no new jobs."""


def view_of(provider: Provider, held: Held | None) -> ProviderView:
    """A provider as the planner sees it, with what its live attempts hold of it."""
    held = held or Held()
    reason, why = _down(provider)
    return ProviderView(
        id=provider.pk,
        name=provider.name,
        labels={str(k): str(v) for k, v in provider.labels.items()},
        total_cpu_millis=provider.total_cpu_millis,
        total_memory_mb=provider.total_memory_mb,
        total_gpus=provider.total_gpus,
        free_cpu_millis=provider.total_cpu_millis - held.cpu_millis,
        free_memory_mb=provider.total_memory_mb - held.memory_mb,
        free_gpus=provider.total_gpus - held.gpus,
        free_slots=None if provider.slots is None else max(0, provider.slots - held.attempts),
        down_reason=reason,
        down=why,
    )


def _down(provider: Provider) -> tuple[str, str]:
    """Why an active provider cannot take jobs now: a wait's code and words, or two blanks."""
    if provider.mode == Mode.DRAINING:
        return "provider_down", "it is draining"
    if not is_up(provider.health):
        if provider.health == "unknown":
            return "provider_down", "it has not been looked at yet"
        return "provider_down", "it is unreachable"  # its page says why
    if provider.probed_at is None or timezone.now() - provider.probed_at > UNWATCHED:
        return "provider_down", "no engine process looks at it"
    free, total = provider.disk_free_bytes, provider.disk_total_bytes
    if free is not None and free < max(LOW_DISK_BYTES, LOW_DISK_SHARE * (total or 0)):
        return "disk_low", f"only {free / 2**30:.1f} GiB of its disk is free"
    return "", ""


def still_fitting(placements: Sequence[Placed]) -> list[Placed]:
    """Placements that still fit, in their order, by the rows as they are at commit."""
    if not placements:
        return []
    wanted = {p.provider for p in placements}
    views = {
        p.pk: p
        for p in Provider.objects.filter(pk__in=wanted, deleted_at=None, mode=Mode.ACTIVE)
        .order_by("pk")
        .select_for_update(of=("self",), no_key=True)
    }
    held = held_capacity()
    room = {pk: view_of(p, held.get(pk)) for pk, p in views.items()}
    left = {
        pk: [v.free_cpu_millis, v.free_memory_mb, v.free_gpus, v.free_slots]
        for pk, v in room.items()
    }
    fitting = []
    for placement in placements:
        free = left.get(placement.provider)
        if free is None:
            continue
        demand = placement.demand
        need = (demand.cpu_millis, demand.memory_mb, demand.gpus)
        slots = free[3]
        if any(n > (f or 0) for n, f in zip(need, free[:3], strict=True)) or slots == 0:
            continue
        left[placement.provider] = [
            *((f or 0) - n for n, f in zip(need, free[:3], strict=True)),
            None if slots is None else slots - 1,
        ]
        fitting.append(placement)
    return fitting
