"""`manage.py new_instance_id`: give a cloned database an identity of its own.

Two instances with one id would each take the other's containers for theirs. After cloning
a database (a staging copy, say) run this once in the copy, before its engine starts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from orchestrator.local.borrowed_postgres import reachable_database
from orchestrator.local.instance_lock import AlreadyRunning, InstanceLock
from orchestrator.local.postgres_tools import ToolFailed
from projects.actor import SYSTEM
from projects.services import instance_id_renew


class Command(BaseCommand):
    """Prints the new id."""

    help = "Give this database a new instance id. Run once after cloning one, with Gantry down."

    def handle(self, *args: Any, **options: Any) -> None:
        """An engine that runs would go on under the old id, so Gantry must be down here."""
        data_dir = Path(settings.DATA_DIR)
        lock = InstanceLock(data_dir)
        try:
            lock.acquire()
        except AlreadyRunning as error:
            raise CommandError(str(error)) from error
        try:
            with reachable_database(data_dir):
                self.stdout.write(str(instance_id_renew(SYSTEM)))
        except (OperationalError, ToolFailed, OSError) as error:
            raise CommandError(str(error)) from error
        finally:
            lock.release()
