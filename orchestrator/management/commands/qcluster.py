"""`manage.py qcluster`: django-q2's own command, made light."""

from __future__ import annotations

from typing import Any

from django.db import connections
from django_q.management.commands.qcluster import Command as QClusterCommand

from orchestrator.garbage import settle

SESSION_SECONDS = 600
"""How long one connection is used; what a session has loaded grows with its age."""


class Command(QClusterCommand):  # type: ignore[misc]  # django-q2 has no types
    """It forks four times. Checking the URLs first would load every page and the whole API
    into all five processes, and an unfrozen heap is copied by their garbage collectors."""

    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Runs until it is told to stop."""
        # It looks into its queue every two seconds; a session made anew for each of these looks
        # is most of what it costs at rest. It closes all of them before each of its forks.
        connections.settings["default"] |= {
            "CONN_MAX_AGE": SESSION_SECONDS,
            "CONN_HEALTH_CHECKS": True,
        }
        settle()
        super().handle(*args, **options)
