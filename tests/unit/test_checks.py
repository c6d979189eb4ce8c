"""Each system check finds what it is there for, and is quiet otherwise."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from django.conf import settings

from orchestrator import checks
from orchestrator.schedules import SWEEPS
from providers import registry

CASES: list[tuple[Callable[..., checks.Found], str, Any, str]] = [
    (checks.check_housekeeping, "Q_CLUSTER", {"timeout": 600, "retry": 600}, "gantry.E001"),
    (checks.check_housekeeping, "Q_CLUSTER", {"timeout": None, "retry": 600}, "gantry.E001"),
    (checks.check_time, "TIME_ZONE", "Europe/Berlin", "gantry.E002"),
    (checks.check_time, "USE_TZ", False, "gantry.E002"),
    (checks.check_lease, "LEASE_TTL", 0.5, "gantry.E003"),
    (checks.check_hosts, "ALLOWED_HOSTS", ["example.org", "*"], "gantry.E005"),
    (checks.check_fake_driver, "ALLOW_FAKE_DRIVER", True, "gantry.W001"),
]


@pytest.mark.parametrize(("check", "setting", "value", "found"), CASES)
def test_a_bad_setting_is_found(
    monkeypatch: pytest.MonkeyPatch,
    check: Callable[..., checks.Found],
    setting: str,
    value: object,
    found: str,
) -> None:
    monkeypatch.setattr(settings, "ALLOW_FAKE_DRIVER", False)
    assert [message.id for message in check(None)] == []
    monkeypatch.setattr(settings, setting, value)
    assert [message.id for message in check(None)] == [found]


def test_a_driver_that_cannot_be_imported_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(checks.check_drivers(None)) == []
    monkeypatch.setitem(registry.FACTORIES, "moon", "providers.drivers.moon:MoonDriver")
    (message,) = checks.check_drivers(None)
    assert message.id == "gantry.E004"
    assert "moon" in message.msg


@pytest.mark.parametrize("sweep", SWEEPS, ids=lambda sweep: sweep.name)
def test_every_sweep_names_a_function(sweep: Any) -> None:
    module, _, name = sweep.function.rpartition(".")
    assert callable(getattr(import_module(module), name))
