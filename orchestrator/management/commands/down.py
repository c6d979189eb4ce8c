"""`manage.py down`: end what `up` started, the engine included."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from orchestrator.local import docker_engine
from orchestrator.local.instance_lock import end_leftovers, holder
from orchestrator.local.postgres import EmbeddedPostgres
from orchestrator.local.supervisor import GRACE_SECONDS
from providers.drivers.docker.host import HostEngine

UP_SECONDS = 20


class Command(BaseCommand):
    """Ends processes, embedded Postgres, and the Docker engine if `up` had started it."""

    help = "End a running Gantry of this data folder, and a Docker engine that it started."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Ending the engine ends the jobs on it, so that is asked for in words."""
        parser.add_argument(
            "--with-jobs", action="store_true", help="End the engine though containers run on it."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """From the outside in: the supervisor, what it left, the database, the engine."""
        data_dir = Path(settings.DATA_DIR)
        self._end_up(data_dir)
        for name in end_leftovers(data_dir, GRACE_SECONDS):
            self.stdout.write(f"Ended {name}.")
        if (data_dir / "database_url").exists():
            EmbeddedPostgres(data_dir).stop()
        self._end_engine(data_dir, options["with_jobs"])

    def _end_up(self, data_dir: Path) -> None:
        running = holder(data_dir)
        if running is None:
            self.stdout.write("Gantry was not running.")
            return
        running.signal(signal.SIGTERM)
        deadline = time.monotonic() + UP_SECONDS
        while running.alive():
            if time.monotonic() > deadline:
                raise CommandError(f"process {running.pid} did not end in {UP_SECONDS} s")
            time.sleep(0.1)
        self.stdout.write("Gantry ended.")

    def _end_engine(self, data_dir: Path, with_jobs: bool) -> None:
        if docker_engine.started_engine(data_dir) is None:
            return
        with HostEngine() as engine:
            running = engine.running_containers()
        if running and not with_jobs:
            self.stdout.write(
                f"The Docker engine goes on: {running} containers run on it. "
                "To end them too: .venv/bin/python manage.py down --with-jobs"
            )
            return
        if not docker_engine.stop_engine(data_dir):
            raise CommandError("dockerd did not end; its log is dockerd.log in the data folder")
        self.stdout.write("Docker engine ended.")
