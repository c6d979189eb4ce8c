"""Settings that start well and go wrong later: the system checks."""

from __future__ import annotations

from collections.abc import Iterator

from django.core import checks

from orchestrator.doctor.finding import Finding, ok, problem, warning

CHECK = "settings"


def look() -> Iterator[Finding]:
    """What `manage.py check` would say."""
    found = [message for message in checks.run_checks() if not message.is_silenced()]
    for message in found:
        if message.level >= checks.WARNING:
            tell = problem if message.level >= checks.ERROR else warning
            yield tell(CHECK, f"{message.msg} ({message.id})", message.hint or "manage.py check")
    if not any(message.level >= checks.WARNING for message in found):
        yield ok(CHECK, "The system checks find nothing.")
