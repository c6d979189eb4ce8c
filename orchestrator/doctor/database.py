"""The database: does it answer, is it ours, is there room, does anything hold it up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from django.db import connection

from orchestrator.doctor.finding import Finding, ok, problem, warning
from orchestrator.schema import pending_migrations
from projects.quantities import duration_text

CHECK = "database"
LEAST_VERSION = 15
CONNECTIONS_SHARE = 0.8
LONG_TRANSACTION = timedelta(minutes=5)
CLOCKS_APART = timedelta(seconds=2)


def look() -> Iterator[Finding]:
    """All findings; the caller has seen that it answers."""
    version = connection.cursor().connection.info.server_version // 10_000
    if version < LEAST_VERSION:
        yield problem(
            CHECK, f"It is Postgres {version}.", f"Gantry needs {LEAST_VERSION} or later."
        )
    if pending := pending_migrations():
        yield problem(
            CHECK,
            f"{pending} migrations of this version are not applied.",
            "Run manage.py migrate (make up does it). If another version of Gantry uses this "
            "database, end that one first.",
        )
        return
    used, most = _connections()
    yield from _room(used, most)
    yield from _long_transactions()
    apart = clocks_apart()
    if abs(apart) > CLOCKS_APART:
        yield warning(
            "clocks",
            f"This machine's clock is {duration_text(abs(apart).total_seconds())} "
            f"{'behind' if apart > timedelta() else 'ahead of'} the database's.",
            "Let both follow NTP. Leases and waits go by the database's clock alone; what this "
            "machine writes into its own logs is off.",
        )
    yield ok(CHECK, f"Postgres {version} answers, {used} of {most} connections are in use.")


def _connections() -> tuple[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), current_setting('max_connections')::int FROM pg_stat_activity"
            " WHERE backend_type = 'client backend'"
        )
        used, most = cursor.fetchone()
    return int(used), int(most)


def _room(used: int, most: int) -> Iterator[Finding]:
    if used > most * CONNECTIONS_SHARE:
        yield warning(
            CHECK,
            f"{used} of {most} connections are in use.",
            "Raise max_connections, or end what does not need them: SELECT application_name, "
            "count(*) FROM pg_stat_activity GROUP BY 1.",
        )


def _long_transactions() -> Iterator[Finding]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid, application_name, state, extract(epoch FROM now() - xact_start)"
            " FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND xact_start < clock_timestamp() - make_interval(secs => %s)"
            " ORDER BY xact_start LIMIT 5",
            [LONG_TRANSACTION.total_seconds()],
        )
        for pid, name, state, seconds in cursor.fetchall():
            yield warning(
                CHECK,
                f"Session {pid} ({name or 'unnamed'}, {state}) has been in one transaction for "
                f"{duration_text(int(seconds))}.",
                "It keeps deleted rows alive and may hold locks. Find out whose it is; "
                f"SELECT pg_terminate_backend({pid}) ends it.",
            )


def clocks_apart() -> timedelta:
    """The database's clock minus this machine's, as far as one round trip can tell."""
    before = datetime.now(UTC)
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (there,) = cursor.fetchone()
    after = datetime.now(UTC)
    return timedelta(seconds=(there - before - (after - before) / 2).total_seconds())
