"""The embedded Postgres for the time of one command, when `up` does not run it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dj_database_url
from django.db import OperationalError, connections

from orchestrator.local.postgres import EmbeddedPostgres


@contextmanager
def borrowed_postgres(data_dir: Path) -> Iterator[None]:
    """Let Django's default database answer inside the block.

    A server of the user's own (DATABASE_URL) is left alone, and so is an embedded one that
    runs already; otherwise ours is started, and ended with the block.
    """
    if os.environ.get("DATABASE_URL"):
        yield
        return
    postgres = EmbeddedPostgres(data_dir)
    was_running = postgres.running()
    # The settings were read before the server had an address.
    connections["default"].settings_dict.update(dj_database_url.parse(postgres.start()))
    try:
        yield
    finally:
        connections["default"].close()
        if not was_running:
            postgres.stop()


@contextmanager
def reachable_database(data_dir: Path) -> Iterator[None]:
    """The database inside the block, whether or not `up` runs; its own errors stay its own.

    Raises FileNotFoundError where no instance has ever been started.
    """
    try:
        connections["default"].ensure_connection()
        answers = True
    except OperationalError:
        if os.environ.get("DATABASE_URL"):
            raise
        answers = False
    if answers:
        yield
        return
    if not (EmbeddedPostgres(data_dir).home.cluster / "PG_VERSION").exists():
        raise FileNotFoundError(f"There is no database in {data_dir} yet. Start Gantry: make up")
    with borrowed_postgres(data_dir):
        yield
