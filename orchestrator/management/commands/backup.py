"""`manage.py backup FILE`: the whole instance in one file; Gantry may go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from orchestrator.local.backup import create_backup
from orchestrator.local.borrowed_postgres import borrowed_postgres
from orchestrator.local.postgres_tools import ToolFailed


class Command(BaseCommand):
    """Database, log archive and secret key."""

    help = "Write database, log archive and secret key to a new FILE. Keep it like a password."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Where to."""
        parser.add_argument("file", metavar="FILE", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        """Says how large it became."""
        target: Path = options["file"].absolute()
        try:
            with borrowed_postgres(Path(settings.DATA_DIR)):
                size = create_backup(target)
        except (OSError, ToolFailed) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{target}: {size / 2**20:.1f} MiB")
