"""Storing what a probe said of a provider; the health columns' only writer."""

from __future__ import annotations

from django.db.models import F
from django.db.models.functions import Now

from projects.actor import Actor
from projects.events import Happening, record
from projects.models import ActorKind
from projects.storable import storable, storable_values
from providers.driver import Probe
from providers.leases import Fence, fenced
from providers.models import HealthState, Provider, ProviderImage

MOST_NAME = 512
_HOST = Actor(ActorKind.HOST, None, "engine", "engine", is_superuser=True)


def probe_save(fence: Fence, provider_id: int, probe: Probe) -> int | None:
    """Store a probe inside the caller's transaction.

    Returns the provider's new revision when what people see of it changed, else None.
    """
    if not fenced({fence}):
        return None
    provider = Provider.objects.filter(pk=provider_id).first()
    if provider is None:
        return None
    health = HealthState(probe.health.value)
    words = storable(probe.detail)
    known = probe.cpu_cores is not None
    changed = provider.health != health or provider.last_error != words
    values: dict[str, object] = {"probed_at": Now(), "health": health, "last_error": words}
    if words:
        values["last_error_at"] = Now()
    if known:
        found = {
            "version": storable(probe.version, 80),
            "found_cpu_millis": round((probe.cpu_cores or 0) * 1000),
            "found_memory_mb": probe.memory_mb,
            "found_gpus": probe.gpus,
            "facts": storable_values(probe.facts),
            "clock_offset_ms": probe.clock_offset_ms,
        }
        changed = changed or any(
            getattr(provider, name) != value
            for name, value in found.items()
            if name != "clock_offset_ms"
        )
        values |= found
        values |= {
            "disk_free_bytes": probe.disk_free_bytes,
            "disk_total_bytes": probe.disk_total_bytes,
        }
    if health == HealthState.UNREACHABLE:
        if provider.unreachable_since is None:
            values["unreachable_since"] = Now()
    else:
        values["unreachable_since"] = None
    if changed:
        values["rev"] = F("rev") + 1
    Provider.objects.filter(pk=provider_id).update(**values)
    if probe.images is not None:
        _keep_images(provider_id, {storable(name, MOST_NAME) for name in probe.images})
    if provider.health != health:
        record(
            [
                Happening(
                    "provider",
                    provider_id,
                    "provider.health",
                    source=provider.health,
                    target=health,
                    detail={"message": words},
                )
            ],
            _HOST,
        )
    return provider.rev + 1 if changed else None


def _keep_images(provider_id: int, names: set[str]) -> None:
    """The images that it has now; of those that it had already nothing is written."""
    rows = ProviderImage.objects.filter(provider=provider_id)
    had = set(rows.values_list("image", flat=True))
    if gone := had - names:
        rows.filter(image__in=gone).delete()
    ProviderImage.objects.bulk_create(
        [ProviderImage(provider_id=provider_id, image=name) for name in sorted(names - had)],
        ignore_conflicts=True,
    )
