"""`manage.py sync_schedules`: housekeeping as orchestrator/schedules.py declares it."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from orchestrator.schedules import SWEEPS, sync_schedules


class Command(BaseCommand):
    """Run after migrate; safe to run any number of times."""

    help = "Writes the declared housekeeping schedules into the table that qcluster reads."

    def handle(self, *args: Any, **options: Any) -> None:
        """Syncs, and says what changed."""
        changed = sync_schedules()
        self.stdout.write(f"{len(SWEEPS)} schedules, {changed} changed")
