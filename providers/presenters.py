"""Providers and engine requests as plain values for the API."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from projects.actor import Actor
from providers.models import Provider
from providers.selectors import ProviderUse, RequestReading


def provider_values(actor: Actor, provider: Provider, used: ProviderUse) -> dict[str, Any]:
    """A provider; where and how it is reached only for those who manage it."""
    hidden = set() if actor.may_operate else {"Address"}
    return {
        "id": provider.pk,
        "name": provider.name,
        "kind": provider.kind,
        "mode": provider.mode,
        "health": provider.health,
        "last_error": provider.last_error,
        "last_error_at": provider.last_error_at,
        "probed_at": provider.probed_at,
        "unreachable_since": provider.unreachable_since,
        "version": provider.version,
        "labels": provider.labels,
        "options": provider.options if actor.may_operate else None,
        "mount_allow_list": provider.mount_allow_list,
        "cpu_millis": provider.total_cpu_millis,
        "memory_mb": provider.total_memory_mb,
        "gpus": provider.total_gpus,
        "slots": provider.slots,
        "lost_after_seconds": provider.lost_after_seconds,
        "group": provider.group,
        "strategy": provider.strategy,
        "cost_per_hour": None if provider.cost_per_hour is None else float(provider.cost_per_hour),
        "used": asdict(used),
        "disk_free_bytes": provider.disk_free_bytes,
        "disk_total_bytes": provider.disk_total_bytes,
        "clock_offset_ms": provider.clock_offset_ms,
        "facts": {name: fact for name, fact in provider.facts.items() if name not in hidden},
        "rev": provider.rev,
        "created_at": provider.created_at,
    }


def request_values(reading: RequestReading) -> dict[str, Any]:
    """An engine request as it reads now."""
    request = reading.request
    return {
        "id": request.pk,
        "kind": request.kind,
        "provider": request.provider.name,
        "provider_id": request.provider_id,
        "status": reading.status,
        "message": reading.message,
        "steps": request.steps,
        "result": request.result,
        "created_at": request.created_at,
        "deadline": request.deadline,
        "finished_at": request.finished_at,
    }
