"""`manage.py prepare`: the database, static files and first rows, ready for the processes."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from orchestrator.local import first_start
from orchestrator.schedules import sync_schedules


class Command(BaseCommand):
    """What must be done once per start and version, before web and orchestrate run."""

    help = "Apply migrations, collect static files, make the first admin; safe to repeat."
    requires_system_checks: list[str] = []  # the processes that follow check, and say so

    def add_arguments(self, parser: CommandParser) -> None:
        """The engine to register is known to `up` only."""
        parser.add_argument(
            "--local-provider",
            choices=sorted(first_start.LOCAL_PROVIDERS),
            help="Register this machine's engine, of this kind, unless that was done before.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Says only what changed."""
        with first_start.only_starter():
            if count := first_start.migrate():
                self.stdout.write(f"Database: {count} migrations applied.")
            sync_schedules()
            kind = options["local_provider"]
            if kind and first_start.register_local_provider(kind):
                self.stdout.write(f"Provider: this machine, by {kind}.")
            if password := first_start.create_first_admin():
                self.stdout.write(
                    f"First admin: {first_start.ADMIN} with password {password} (shown this once)"
                )
        if first_start.collect_static():
            self.stdout.write("Static files: collected.")
