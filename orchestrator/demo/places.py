"""The providers of the demonstration: scripted ones of several sizes, beside the real engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from orchestrator.local.first_start import LOCAL_PROVIDERS
from projects.actor import Actor
from projects.selectors import instance_settings
from providers.driver import ProviderConfig
from providers.drivers.fake import FakeDriver
from providers.models import Mode, Provider
from providers.services import provider_create, provider_set_mode

KIND = "fake"
EDGE, SPOT, OLD = "edge-berlin", "spot-7", "old-nas"

PLACES: Mapping[str, Mapping[str, Any]] = {
    "rack-a": {
        "options": {"cpu_cores": 32, "memory_mb": 128 * 1024},
        "labels": {"pool": "batch", "zone": "fra-1"},
    },
    "rack-b": {
        "options": {"cpu_cores": 16, "memory_mb": 64 * 1024},
        "labels": {"pool": "batch", "zone": "fra-2"},
        "slots": 12,
    },
    "gpu-1": {
        "options": {"cpu_cores": 24, "memory_mb": 192 * 1024, "gpus": 4},
        "labels": {"pool": "gpu", "gpu": "l40s", "zone": "fra-1"},
    },
    EDGE: {
        "options": {"cpu_cores": 4, "memory_mb": 8 * 1024},
        "labels": {"pool": "edge", "zone": "ber"},
    },
    SPOT: {
        "options": {"cpu_cores": 8, "memory_mb": 16 * 1024},
        "labels": {"pool": "spot", "zone": "fra-3"},
        "lost_after_seconds": 15,
    },
    OLD: {
        "options": {"cpu_cores": 8, "memory_mb": 32 * 1024},
        "labels": {"pool": "archive", "zone": "office"},
    },
}
OUTAGES: Mapping[str, str] = {
    EDGE: "dial tcp 10.20.4.17:2376: connect: no route to host",
    SPOT: "dial tcp 10.20.9.7:2376: i/o timeout",
}
"""What calls to them fail with, once they have gone; the scripted driver's own way to go."""


def build(operator: Actor) -> None:
    """Register those that are missing. Raises Conflict where a real provider has the name."""
    there = Provider.objects.filter(kind=KIND, deleted_at__isnull=True)
    known = set(there.values_list("name", flat=True))
    for name, fields in PLACES.items():
        if name not in known:
            provider_create(operator, name=name, kind=KIND, **fields)


def go_away(name: str) -> None:
    """Let a scripted provider be unreachable from now on."""
    _driver(name).set_outage(OUTAGES[name])


def come_back(name: str) -> None:
    """Let it answer again."""
    _driver(name).set_outage("")


def drain(operator: Actor) -> None:
    """Let the old one take nothing new; what runs there goes on."""
    old = Provider.objects.get(name=OLD, deleted_at__isnull=True)
    provider_set_mode(operator, old.pk, Mode.DRAINING)


def local_engine() -> Provider | None:
    """This machine's own engine, which `up` has registered; None where it takes no jobs."""
    return (
        Provider.objects.filter(
            name__in=LOCAL_PROVIDERS.values(), deleted_at__isnull=True, mode=Mode.ACTIVE
        )
        .order_by("pk")
        .first()
    )


def not_seen_yet() -> list[str]:
    """The providers that no engine process has looked at so far."""
    new = Provider.objects.filter(probed_at__isnull=True, deleted_at__isnull=True, mode=Mode.ACTIVE)
    return list(new.order_by("name").values_list("name", flat=True))


def _driver(name: str) -> FakeDriver:
    instance = str(instance_settings().instance_id)
    return FakeDriver(ProviderConfig(name, instance, {}, str(settings.DATA_DIR)))
