"""Running pg_dump and pg_restore against the database of this instance."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.local.postgres_binaries import installed_programs


class ToolFailed(RuntimeError):
    """A Postgres tool failed; the message has its last words."""


def run_tool(name: str, arguments: list[str], database: Mapping[str, Any]) -> None:
    """Run a client program on Django's description of a database. Raises ToolFailed.

    The password goes through the environment: a command line can be read by everybody.
    """
    done = subprocess.run(
        [str(_find(name)), "--no-password", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        env=os.environ | _address(database),
        check=False,
    )
    if done.returncode != 0:
        raise ToolFailed(f"{name} failed: {done.stderr.strip()[-2000:]}")


def _find(name: str) -> Path:
    """The machine's own client for a server of the user's choice: it is more likely to be
    as new as that server. The embedded server has its own beside it."""
    own = installed_programs() / name
    foreign = shutil.which(name) if os.environ.get("DATABASE_URL") else None
    return Path(foreign) if foreign else own


def _address(database: Mapping[str, Any]) -> dict[str, str]:
    names = {
        "HOST": "PGHOST",
        "PORT": "PGPORT",
        "USER": "PGUSER",
        "PASSWORD": "PGPASSWORD",
        "NAME": "PGDATABASE",
    }
    address = {variable: str(database[key]) for key, variable in names.items() if database.get(key)}
    if mode := database.get("OPTIONS", {}).get("sslmode"):
        address["PGSSLMODE"] = str(mode)
    return address
