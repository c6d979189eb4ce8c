"""The throw-away instance that one test run works on: a data folder and a Postgres.

Each run has its own, so runs at the same time do not disturb each other. The folder's
name carries the number of the process it belongs to; the next run sweeps what a killed
one left behind.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from orchestrator.local.postgres import EmbeddedPostgres

PREFIX = "gantry-test-"
SECRET_KEY = "a-fixed-key-for-tests-only-0123456789-0123456789-0123456789"


class TestInstance:
    """Made before Django reads its settings; the server starts when first asked for."""

    __test__ = False  # pytest: not a test class

    def __init__(self) -> None:
        _sweep_leftovers()
        self.data_dir = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
        self._postgres = EmbeddedPostgres(self.data_dir, durable=False)

    @property
    def environment(self) -> dict[str, str]:
        """What Gantry's processes must see to belong to this instance."""
        return {
            "GANTRY_DATA": str(self.data_dir),
            "GANTRY_SECRET_KEY": SECRET_KEY,
            "GANTRY_ALLOW_FAKE": "1",
            "DATABASE_URL": self._postgres.url,
        }

    def start_postgres(self) -> str:
        """Start the server unless it runs already; returns its address."""
        return self._postgres.start()

    def destroy(self) -> None:
        """Stop the server and delete every file of the instance."""
        _destroy(self.data_dir, self._postgres)


def _destroy(data_dir: Path, postgres: EmbeddedPostgres) -> None:
    postgres.stop()
    for folder in (postgres.home.cluster, postgres.home.sockets, data_dir):
        shutil.rmtree(folder, ignore_errors=folder is not data_dir)


def _sweep_leftovers() -> None:
    # One at a time: runs and their workers start together.
    folder_of_all = os.open(tempfile.gettempdir(), os.O_RDONLY)
    try:
        fcntl.flock(folder_of_all, fcntl.LOCK_EX)
        _sweep()
    finally:
        os.close(folder_of_all)


def _sweep() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}[0-9]*-*"):
        owner = folder.name.removeprefix(PREFIX).partition("-")[0]
        if Path(f"/proc/{owner}").exists() or not os.access(folder, os.W_OK):
            continue
        _destroy(folder, EmbeddedPostgres(folder, durable=False))
