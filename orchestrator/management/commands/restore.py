"""`manage.py restore FILE`: make this instance what a backup was; Gantry must be down."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from orchestrator.local.borrowed_postgres import borrowed_postgres
from orchestrator.local.instance_lock import AlreadyRunning, InstanceLock
from orchestrator.local.postgres_tools import ToolFailed
from orchestrator.local.restore import CannotRestore, restore_backup

PROBLEMS = (CannotRestore, ToolFailed, tarfile.TarError, psycopg.Error, OSError)


class Command(BaseCommand):
    """The reverse of backup."""

    help = "Bring back the instance that `backup` wrote to FILE. Gantry must not be running."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """What from, and whether anything may be lost for it."""
        parser.add_argument("file", metavar="FILE", type=Path)
        parser.add_argument(
            "--replace", action="store_true", help="Delete the jobs that this instance has."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Holds the lock of `up` meanwhile, so that nobody starts Gantry in the middle."""
        data_dir = Path(settings.DATA_DIR)
        lock = InstanceLock(data_dir)
        try:
            lock.acquire()
        except AlreadyRunning as error:
            raise CommandError(str(error)) from error
        try:
            with borrowed_postgres(data_dir):
                manifest = restore_backup(options["file"], replace=options["replace"])
        except PROBLEMS as error:
            raise CommandError(f"not restored: {error}") from error
        finally:
            lock.release()
        self.stdout.write(
            f"Restored what was backed up at {manifest.created_at}. If the instance it came from "
            "goes on elsewhere, run `manage.py new_instance_id` here before starting."
        )
