"""`manage.py orchestrate`: the background worker that places and runs jobs."""

from __future__ import annotations

import logging
import os
import sys
import time
from typing import Any

from django.conf import settings
from django.core.checks import Tags
from django.core.management.base import BaseCommand
from django.db import OperationalError, connection, connections
from django.db.migrations.executor import MigrationExecutor

from orchestrator.garbage import settle
from orchestrator.loop.process import EngineProcess

ENGINE_SESSION = "-c idle_in_transaction_session_timeout=5s -c statement_timeout=30s"


class Command(BaseCommand):
    """Runs until SIGTERM; any number may run, on any machines, on one database."""

    help = "Run the engine loop: place jobs, run them on providers, keep their logs."
    requires_migrations_checks = False
    # Those of settings. The others read all URLs, and with them the pages and the API.
    requires_system_checks = [Tags.compatibility, Tags.security]

    def handle(self, *args: Any, **options: Any) -> None:
        database = connections.settings["default"]
        # A stale owner's open transaction is ended by the server, so a takeover waits briefly.
        database["OPTIONS"] = database.get("OPTIONS", {}) | {
            "options": ENGINE_SESSION,
            "application_name": "gantry-orchestrate",
        }
        database["CONN_MAX_AGE"] = None
        self._wait_for_migrations()
        connection.close()
        process = EngineProcess(settings.DATA_DIR, settings.LEASE_TTL)
        connection.close()
        settle()
        status = process.run()
        # All is written and given back. The interpreter's own end would wait for the calls
        # that are still under way, perhaps to an engine that hangs.
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)

    def _wait_for_migrations(self) -> None:
        """Wait while the schema is older than this program; the new one is made by `up`."""
        told = False
        while True:
            try:
                executor = MigrationExecutor(connection)
                if not executor.migration_plan(executor.loader.graph.leaf_nodes()):
                    return
                why = "migrations are pending (manage.py migrate)"
            except OperationalError as error:
                why = f"the database does not answer: {error}"
                connection.close()
            if not told:
                self.stderr.write(f"waiting: {why}")
                told = True
            time.sleep(0.5)
