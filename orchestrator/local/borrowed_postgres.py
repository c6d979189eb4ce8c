"""The embedded Postgres for the time of one command, when `up` does not run it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dj_database_url
from django.db import connections

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
