"""Bringing a database up to date, and giving a new one what a person needs to begin.

Everything here may be done again: it looks first and changes only what is missing. An
advisory lock lets one starter work at a time, so that two machines that start on one
database neither run a migration twice nor make two first admins.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from orchestrator import env
from projects.actor import SYSTEM
from providers.models import Provider
from providers.services import provider_create

ADMIN = "admin"
ADVISORY_LOCK = 0x67616E747279  # "gantry": shared with nobody else in this database
# A migration that cannot have its lock fails and can be tried again; one that waits for
# ever behind a long query makes every other query wait behind it.
LOCK_TIMEOUT = "30s"
LOCAL_PROVIDERS = {"docker": "local", "process": "local-process"}


@contextmanager
def only_starter() -> Iterator[None]:
    """Wait until no other process prepares this database, and keep others waiting."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [ADVISORY_LOCK])
        cursor.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
        try:
            yield
        finally:
            cursor.execute("RESET lock_timeout")
            cursor.execute("SELECT pg_advisory_unlock(%s)", [ADVISORY_LOCK])


def migrate() -> int:
    """Apply the migrations that are missing; how many there were."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if plan:
        call_command("migrate", interactive=False, verbosity=0)
    return len(plan)


def create_first_admin() -> str | None:
    """Make the first administrator when there is none; the password to show, if we made one.

    GANTRY_ADMIN_PASSWORD sets it instead. Later changes of that variable change nothing.
    """
    if User.objects.filter(is_superuser=True).exists():
        return None
    given = env.text("GANTRY_ADMIN_PASSWORD")
    password = given or secrets.token_urlsafe(12)
    User.objects.create_superuser(ADMIN, password=password)
    return None if given else password


def register_local_provider(kind: str) -> bool:
    """Register this machine's engine, once ever; whether that was now.

    What an operator changed or deleted stays changed or deleted. Its capacity is found by
    the engine process, which probes a new provider at once. Plain processes isolate
    nothing, so they are the choice of a new instance only, never that of one whose engine
    is down for a moment.
    """
    name = LOCAL_PROVIDERS[kind]
    known = Provider.objects.all() if kind == "process" else Provider.objects.filter(name=name)
    if known.exists():
        return False
    provider_create(SYSTEM, name=name, kind=kind)
    return True


def collect_static() -> bool:
    """Gather static files under names with a hash, when any changed; whether one had."""
    stamp = Path(settings.DATA_DIR) / "static.stamp"
    fingerprint = _static_fingerprint()
    if stamp.exists() and stamp.read_text() == fingerprint:
        return False
    call_command("collectstatic", interactive=False, verbosity=0)
    stamp.write_text(fingerprint)
    return True


def _static_fingerprint() -> str:
    digest = hashlib.sha256(repr(settings.STORAGES["staticfiles"]).encode())
    for finder in get_finders():
        for path, storage in finder.list([]):
            found = Path(storage.path(path)).stat()
            digest.update(f"{path} {found.st_size} {found.st_mtime_ns}\n".encode())
    return digest.hexdigest()
