"""`manage.py qcluster`: django-q2's own command, made light."""

from __future__ import annotations

from typing import Any

from django_q.management.commands.qcluster import Command as QClusterCommand

from orchestrator.garbage import settle


class Command(QClusterCommand):  # type: ignore[misc]  # django-q2 has no types
    """It forks four times. Checking the URLs first would load every page and the whole API
    into all five processes, and an unfrozen heap is copied by their garbage collectors."""

    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Runs until it is told to stop."""
        settle()
        super().handle(*args, **options)
