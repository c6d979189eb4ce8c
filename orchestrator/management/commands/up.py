"""`manage.py up`: Gantry on this machine, in the foreground (`make up`)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from orchestrator.local.accounts import AccountUnavailable
from orchestrator.local.instance_lock import AlreadyRunning
from orchestrator.local.one_machine import CannotStart, OneMachine
from orchestrator.local.postgres import PostgresFailed
from orchestrator.local.postgres_binaries import BinariesMissing
from orchestrator.local.prefixed_output import PrefixedOutput

EXPLAINED = (AccountUnavailable, AlreadyRunning, BinariesMissing, CannotStart, PostgresFailed)


class Command(BaseCommand):
    """Everything for one machine; ends with Ctrl-C."""

    help = "Start Gantry on this machine: database, web, engine loop and housekeeping."
    requires_system_checks: list[str] = []  # the database is not up yet

    def handle(self, *args: Any, **options: Any) -> None:
        """Turns what is in the way into one plain line."""
        machine = OneMachine(
            data_dir=Path(settings.DATA_DIR),
            bind=settings.BIND,
            port=settings.PORT,
            public_url=settings.PUBLIC_URL,
            database_url=os.environ.get("DATABASE_URL", ""),
        )
        try:
            machine.run(PrefixedOutput(sys.stdout, [s.name for s in machine.services()]))
        except EXPLAINED as error:
            raise CommandError(str(error)) from error
        except subprocess.CalledProcessError as error:
            raise CommandError(
                "The database could not be prepared; its message is above."
            ) from error
