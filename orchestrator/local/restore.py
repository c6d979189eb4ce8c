"""Bringing an instance back from its backup.

Everything is laid out beside what is there and checked first; only then names are
swapped. A restore that fails leaves the instance as it was.
"""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import psycopg
from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from psycopg import sql

from orchestrator.local.backup import (
    ARCHIVE,
    DUMP,
    FORMAT,
    KEY,
    MANIFEST,
    Manifest,
    archive_folder,
    key_fingerprint,
)
from orchestrator.local.postgres_tools import run_tool
from projects import sql as statements


class CannotRestore(RuntimeError):
    """The file or the instance does not allow it; nothing was changed."""


def restore_backup(source: Path, *, replace: bool) -> Manifest:
    """Make this instance what the backup was; what it was made of.

    Raises CannotRestore, ToolFailed, tarfile.TarError, psycopg.Error, OSError.
    """
    laid_out = Path(settings.DATA_DIR) / "restoring"
    shutil.rmtree(laid_out, ignore_errors=True)
    laid_out.mkdir(mode=0o700)
    try:
        _unpack(source, laid_out)
        manifest = _checked_manifest(laid_out)
        key = _checked_key(laid_out, manifest)
        _refuse_to_overwrite(replace)
        _restore_database(laid_out / DUMP)
        _restore_archive(laid_out / ARCHIVE)
        _restore_key(key)
    finally:
        shutil.rmtree(laid_out, ignore_errors=True)
    return manifest


def _unpack(source: Path, into: Path) -> None:
    """Files of known places only: a backup may come from anywhere."""
    with tarfile.open(source, mode="r|") as tar:
        for entry in tar:
            place = PurePosixPath(entry.name)
            known = entry.name in (MANIFEST, DUMP, KEY) or place.parts[0] == ARCHIVE
            content = tar.extractfile(entry) if entry.isreg() else None
            if not known or ".." in place.parts or content is None:
                raise CannotRestore(f"{source} is no Gantry backup: it holds {entry.name!r}")
            path = into / place
            path.parent.mkdir(parents=True, exist_ok=True)
            with content, path.open("xb") as file:
                shutil.copyfileobj(content, file)


def _checked_manifest(laid_out: Path) -> Manifest:
    try:
        fields = json.loads((laid_out / MANIFEST).read_text())
        if fields.get("format") != FORMAT:
            raise CannotRestore(f"this backup has format {fields.get('format')}, known is {FORMAT}")
        manifest = Manifest(**fields)
    except (OSError, ValueError, TypeError) as error:
        raise CannotRestore(f"this is no Gantry backup: {error}") from error
    known = {f"{app}.{name}" for app, name in MigrationLoader(None).graph.nodes}
    if newer := sorted(set(manifest.migrations) - known):
        raise CannotRestore(
            f"this backup is of another Gantry: its schema has {', '.join(newer[:5])}. "
            "Restore it with the version that made it, then update."
        )
    return manifest


def _checked_key(laid_out: Path, manifest: Manifest) -> str:
    """The backup's secret key, from the file or the environment."""
    path = laid_out / KEY
    given = os.environ.get("GANTRY_SECRET_KEY")
    key = given or (path.read_text() if path.exists() else "")
    if key_fingerprint(key) != manifest.key_fingerprint:
        hint = "unset GANTRY_SECRET_KEY" if manifest.key_included else "set GANTRY_SECRET_KEY to it"
        raise CannotRestore(
            f"the backup's secrets were encrypted with another key than is at hand; {hint}"
        )
    return key


def _refuse_to_overwrite(replace: bool) -> None:
    tables = connection.introspection.table_names()
    if replace or "jobs_job" not in tables:
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM jobs_job LIMIT 1")
        if cursor.fetchone():
            raise CannotRestore("this instance has jobs; --replace deletes them for the backup's")


def _restore_database(dump: Path) -> None:
    """Restore into a new database, then give it the old one's name."""
    database = connection.settings_dict
    name, new, old = (f"{database['NAME']}{suffix}" for suffix in ("", "_restoring", "_replaced"))
    connection.close()
    with _maintenance(database) as server:
        _refuse_company(server, name)
        _drop(server, new)
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(new)))
        try:
            arguments = ["--exit-on-error", "--no-owner", "--no-privileges", "--single-transaction"]
            run_tool(
                "pg_restore",
                [*arguments, f"--dbname={new}", str(dump)],
                database,
            )
            _settle_feed(database, new)
            _refuse_company(server, name)
            _drop(server, old)
            with server.transaction():
                _rename(server, name, old)
                _rename(server, new, name)
        except BaseException:
            _drop(server, new)
            raise
        _drop(server, old)


def _settle_feed(database: dict[str, Any], name: str) -> None:
    """No event is held back until this server has counted as many transactions as the backup's."""
    with _connected(database, name) as restored:
        restored.execute(statements.text("settle_feed").encode())


def _maintenance(
    database: dict[str, Any],
) -> AbstractContextManager[psycopg.Connection[tuple[Any, ...]]]:
    """A connection to the server beside the database in question."""
    return _connected(database, "postgres")


@contextmanager
def _connected(
    database: dict[str, Any], name: str
) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """A connection to the database of that name on the same server."""
    with psycopg.connect(
        host=database["HOST"] or None,
        port=database["PORT"] or None,
        user=database["USER"] or None,
        password=database["PASSWORD"] or None,
        dbname=name,
        autocommit=True,
    ) as server:
        yield server


def _refuse_company(server: psycopg.Connection[tuple[Any, ...]], name: str) -> None:
    query = "SELECT DISTINCT coalesce(nullif(application_name, ''), 'a client')"
    query += " FROM pg_stat_activity WHERE datname = %s"
    if others := sorted(str(row[0]) for row in server.execute(query.encode(), [name])):
        raise CannotRestore(f"the database is in use by {', '.join(others)}; end Gantry first")


def _drop(server: psycopg.Connection[tuple[Any, ...]], name: str) -> None:
    server.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))


def _rename(server: psycopg.Connection[tuple[Any, ...]], before: str, after: str) -> None:
    rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
    server.execute(rename.format(sql.Identifier(before), sql.Identifier(after)))


def _restore_archive(laid_out: Path) -> None:
    folder = archive_folder()
    replaced = folder.with_name(f"{folder.name}.replaced")
    shutil.rmtree(replaced, ignore_errors=True)
    if folder.exists():
        folder.rename(replaced)
    if laid_out.exists():
        laid_out.rename(folder)
    shutil.rmtree(replaced, ignore_errors=True)


def _restore_key(key: str) -> None:
    if os.environ.get("GANTRY_SECRET_KEY"):
        return
    path = Path(settings.DATA_DIR) / "secret_key"
    making = path.with_name("secret_key.part")
    making.unlink(missing_ok=True)
    with os.fdopen(os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(key + "\n")
    making.replace(path)
