"""System checks: settings that start well and go wrong later, each with an id.

Run before every management command; `check --deploy` runs all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from providers.registry import FACTORIES

Found = Iterable[CheckMessage]


@register(Tags.compatibility)
def check_housekeeping(app_configs: Sequence[Any] | None, **kwargs: Any) -> Found:
    """A task that is retried while it still runs would run twice at once."""
    cluster: dict[str, Any] = settings.Q_CLUSTER
    if not cluster.get("timeout") or cluster["retry"] <= cluster["timeout"]:
        yield Error(
            "Q_CLUSTER retry must be greater than its timeout, and a timeout must be set.",
            hint="The defaults are timeout 300 and retry 600 seconds.",
            id="gantry.E001",
        )


@register(Tags.compatibility)
def check_time(app_configs: Sequence[Any] | None, **kwargs: Any) -> Found:
    """All times are stored and compared in UTC."""
    if settings.TIME_ZONE != "UTC" or not settings.USE_TZ:
        yield Error(
            "Gantry stores and shows times in UTC.",
            hint='Set TIME_ZONE = "UTC" and USE_TZ = True.',
            id="gantry.E002",
        )


@register(Tags.compatibility)
def check_lease(app_configs: Sequence[Any] | None, **kwargs: Any) -> Found:
    """Below a second, an ordinary pause of the machine looks like a death."""
    if settings.LEASE_TTL < 1:
        yield Error(
            f"LEASE_TTL is {settings.LEASE_TTL} s; the least is 1.",
            hint="GANTRY_LEASE_TTL is for tests and drills; the default is 10.",
            id="gantry.E003",
        )


@register(Tags.compatibility, deploy=True)
def check_drivers(app_configs: Sequence[Any] | None, **kwargs: Any) -> Found:
    """Every registered driver can be imported, so none fails at its first job.

    With --deploy only: otherwise every process would carry every engine's SDK.
    """
    for kind, path in FACTORIES.items():
        module_name, _, class_name = path.partition(":")
        try:
            getattr(import_module(module_name), class_name)
        except (ImportError, AttributeError) as error:
            yield Error(
                f"The driver of kind {kind!r} ({path}) cannot be loaded: {error}",
                hint="Install what requirements.txt names, or mend providers/registry.py.",
                id="gantry.E004",
            )


@register(Tags.security)
def check_hosts(app_configs: Sequence[Any] | None, **kwargs: Any) -> Found:
    """Serving any Host header opens password resets and caches to forged links."""
    if "*" in settings.ALLOWED_HOSTS:
        yield Error(
            "ALLOWED_HOSTS contains '*'.",
            hint="Name the address that people use in GANTRY_PUBLIC_URL.",
            id="gantry.E005",
        )


@register(Tags.security)
def check_fake_driver(app_configs: Sequence[Any] | None, **kwargs: Any) -> Found:
    """The fake driver reports success for programs that never ran."""
    if settings.ALLOW_FAKE_DRIVER and not settings.DEBUG:
        yield Warning(
            "The fake driver is allowed: its jobs run nothing.",
            hint="Unset GANTRY_ALLOW_FAKE outside tests and demonstrations.",
            id="gantry.W001",
        )
