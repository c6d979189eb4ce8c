"""Databases of their own on the suite's Postgres, for tests with processes: those see
committed rows only, and several tests share one."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import dj_database_url
import psycopg
from django.db import connection
from psycopg import sql

from tests.support.waiting import wait_until

DROP_SECONDS = 30
_ADDRESS = ("NAME", "USER", "PASSWORD", "HOST", "PORT")
PROJECT = Path(__file__).resolve().parents[2]


@contextmanager
def own_database(server_url: str, template: str = "") -> Iterator[str]:
    """A new database, empty or a copy of another: its address. It is dropped at the end,
    whoever is still connected."""
    name = f"gantry_{uuid.uuid4().hex[:12]}"
    like = sql.Identifier(name_of(template) if template else "template0")
    with psycopg.connect(server_url, autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), like))
        try:
            yield urlunsplit(urlsplit(server_url)._replace(path="/" + name))
        finally:
            _drop(server, name)


def _drop(server: psycopg.Connection, name: str) -> None:
    """An autovacuum worker that is at work in it belongs to the superuser, and may not be ended
    by a DROP with FORCE; it is done in a moment."""

    def dropped() -> bool:
        try:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        except psycopg.errors.InsufficientPrivilege:
            return False
        return True

    wait_until(dropped, DROP_SECONDS, f"autovacuum has left {name}")


def migrate(url: str) -> None:
    """Bring a database to the present schema, as an operator does."""
    done = subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
        cwd=PROJECT,
        env=dict(os.environ) | {"DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def name_of(url: str) -> str:
    """The name of the database at this address."""
    return urlsplit(url).path.removeprefix("/")


@contextmanager
def models_on(url: str) -> Iterator[None]:
    """Django's models read and write that database meanwhile, also one of another server."""
    there = dict(dj_database_url.parse(url))
    own = connection.settings_dict
    before = {key: own[key] for key in _ADDRESS}
    connection.close()
    own.update({key: there[key] for key in _ADDRESS})
    try:
        yield
    finally:
        connection.close()
        own.update(before)
