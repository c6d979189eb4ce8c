"""One file that holds an instance: database, log archive and secret key.

A tar with `manifest.json` first, then `database.dump` (pg_dump's custom format, which is
consistent as of one moment), `secret_key` and `archive/…`. The key is needed to read the
encrypted secrets in the database, so the file is as precious as the instance itself:
mode 0600. A key that comes from GANTRY_SECRET_KEY is not ours to write down; the
manifest then has only its fingerprint, and a restore asks for the same key.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
import tempfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from orchestrator.local.postgres_tools import run_tool

FORMAT = 1
MANIFEST, DUMP, KEY, ARCHIVE = "manifest.json", "database.dump", "secret_key", "archive"


@dataclass(frozen=True)
class Manifest:
    """What a backup says of itself."""

    format: int
    created_at: str
    key_fingerprint: str
    key_included: bool
    migrations: list[str]
    """app.name of all that were applied: a restore needs a Gantry that knows them."""


def create_backup(target: Path) -> int:
    """Write a backup to a new file; its size in bytes. Safe while Gantry runs.

    The database is dumped first: archive files that it speaks of were there then, and
    newer ones do no harm. Raises FileExistsError, ToolFailed, OSError.
    """
    if target.exists():
        raise FileExistsError(f"{target} exists; a backup never overwrites anything")
    making = target.with_name(f"{target.name}.part")
    fd = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(fd, "wb") as file, tempfile.TemporaryDirectory(dir=target.parent) as folder:
            dump = Path(folder) / DUMP
            manifest = current_manifest()
            run_tool("pg_dump", ["--format=custom", "--file", str(dump)], connection.settings_dict)
            with tarfile.open(fileobj=file, mode="w|") as tar:
                _add_bytes(tar, MANIFEST, json.dumps(asdict(manifest), indent=1).encode())
                tar.add(dump, DUMP)
                if manifest.key_included:
                    _add_bytes(tar, KEY, settings.SECRET_KEY.encode())
                _add_archive(tar)
            os.fsync(fd)
        making.rename(target)
    except BaseException:
        making.unlink(missing_ok=True)
        raise
    return target.stat().st_size


def current_manifest() -> Manifest:
    """What a backup of this instance would say now."""
    applied = MigrationRecorder(connection).applied_migrations()
    return Manifest(
        format=FORMAT,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        key_fingerprint=key_fingerprint(settings.SECRET_KEY),
        key_included=not os.environ.get("GANTRY_SECRET_KEY"),
        migrations=sorted(f"{app}.{name}" for app, name in applied),
    )


def key_fingerprint(key: str) -> str:
    """Enough to know a key again, nothing to guess it from."""
    return hashlib.sha256(b"gantry backup\0" + key.encode()).hexdigest()[:16]


def archive_folder() -> Path:
    """Where archived logs are while they are kept on this machine's disk."""
    return Path(settings.DATA_DIR) / "archive"


def _add_archive(tar: tarfile.TarFile) -> None:
    folder = archive_folder()
    for path in sorted(folder.rglob("*")) if folder.exists() else []:
        try:
            file = path.open("rb")
        except (FileNotFoundError, IsADirectoryError):  # retention was quicker, or a folder
            continue
        with file:
            entry = tar.gettarinfo(fileobj=file, arcname=f"{ARCHIVE}/{path.relative_to(folder)}")
            tar.addfile(entry, file)


def _add_bytes(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o600
    tar.addfile(entry, io.BytesIO(content))
