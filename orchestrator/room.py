"""Reading what room providers have, as their rows are now; scheduling/room.py decides on it."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils import timezone

from jobs.queue import held_capacity
from orchestrator.scheduling.policy import Placed
from orchestrator.scheduling.room import still_fitting, view_of
from orchestrator.scheduling.snapshot import ProviderView
from projects.prepared import Place, PreparedQuery
from providers.models import Mode, Provider

_SWITCHED_ON = PreparedQuery(
    lambda: Provider.objects.filter(deleted_at=None).exclude(mode=Mode.INACTIVE)
)
_LOCKED = PreparedQuery(
    lambda: (
        Provider.objects.filter(pk__any=Place(0), deleted_at=None, mode=Mode.ACTIVE)
        .order_by("pk")
        .select_for_update(of=("self",), no_key=True)
    )
)


def provider_views() -> list[ProviderView]:
    """The providers that are not switched off, for the planner."""
    held, now = held_capacity(), timezone.now()
    return [view_of(p, held.get(p.pk), now) for p in _SWITCHED_ON.fetch()]


def fitting_now(placements: Sequence[Placed]) -> list[Placed]:
    """Placements that still fit, in their order, by the rows as they are at commit: the
    providers' rows stay locked until the caller's transaction ends."""
    if not placements:
        return []
    wanted = {p.provider for p in placements}
    rows = _LOCKED.fetch(wanted)
    held, now = held_capacity(), timezone.now()
    return still_fitting(placements, {p.pk: view_of(p, held.get(p.pk), now) for p in rows})
