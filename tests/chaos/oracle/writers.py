"""Who wrote: a detector of stale writes that owes nothing to Gantry's own fence.

Each engine process gets a database role of its own. When a transaction commits, deferred
triggers compare the role that wrote an attempt, a piece of log or an event with the role
that raised the lease's term last: a write that lands after a takeover is noted, however it
came to pass the fence.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from django.db import connection
from psycopg import sql

_WATCH = """
CREATE TABLE chaos_owner (lease text PRIMARY KEY, role text NOT NULL, term bigint NOT NULL);
CREATE TABLE chaos_write (
    at timestamptz DEFAULT clock_timestamp(), what text, row bigint, lease text, writer text,
    owner text
);
CREATE FUNCTION chaos_note_owner() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO chaos_owner VALUES (NEW.name, session_user, NEW.term)
    ON CONFLICT (lease) DO UPDATE SET role = excluded.role, term = excluded.term;
    RETURN NULL;
END $$;
CREATE FUNCTION chaos_note_write() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    fenced_by text;
BEGIN
    IF NOT starts_with(session_user, 'chaos_') THEN
        RETURN NULL;  -- web, or the test itself
    END IF;
    IF TG_TABLE_NAME = 'jobs_attempt' THEN
        fenced_by := CASE TG_OP WHEN 'INSERT' THEN 'scheduler'
                                ELSE 'provider:' || NEW.provider_id END;
    ELSIF TG_TABLE_NAME = 'jobs_logchunk' THEN
        SELECT 'provider:' || provider_id INTO fenced_by
        FROM jobs_attempt WHERE id = NEW.attempt_id;
    ELSIF NEW.subject_kind <> 'job' THEN
        RETURN NULL;
    ELSIF NEW.actor_kind = 'scheduler' THEN
        fenced_by := 'scheduler';
    ELSE
        SELECT 'provider:' || provider_id INTO fenced_by
        FROM jobs_attempt WHERE job_id = NEW.subject_id ORDER BY number DESC LIMIT 1;
    END IF;
    INSERT INTO chaos_write (what, row, lease, writer, owner)
    VALUES (TG_TABLE_NAME, NEW.id, fenced_by, session_user,
            (SELECT role FROM chaos_owner WHERE lease = fenced_by));
    RETURN NULL;
END $$;
CREATE TRIGGER chaos_owner AFTER INSERT OR UPDATE OF term ON providers_lease
    FOR EACH ROW EXECUTE FUNCTION chaos_note_owner();
CREATE CONSTRAINT TRIGGER chaos_write AFTER INSERT OR UPDATE ON jobs_attempt
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION chaos_note_write();
CREATE CONSTRAINT TRIGGER chaos_write AFTER INSERT ON jobs_logchunk
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION chaos_note_write();
CREATE CONSTRAINT TRIGGER chaos_write AFTER INSERT ON projects_event
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION chaos_note_write();
"""


class Writers:
    """Watches one database, which Django's models are on."""

    def __init__(self, server: psycopg.Connection[tuple[object, ...]], database_url: str) -> None:
        self._server = server
        self._database_url = database_url
        self._mark = uuid.uuid4().hex[:8]
        self._roles: list[str] = []
        with connection.cursor() as cursor:
            cursor.execute(_WATCH)

    def url(self, process: str) -> str:
        """The database's address for that process, under a role of its own."""
        parts = urlsplit(self._database_url)
        assert parts.username is not None
        role, word = f"chaos_{self._mark}_{process}", uuid.uuid4().hex
        make = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} IN ROLE {}")
        self._server.execute(
            make.format(sql.Identifier(role), sql.Literal(word), sql.Identifier(parts.username))
        )
        self._roles.append(role)
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{role}:{word}@{host}"))

    def stale(self) -> list[str]:
        """Writes that were committed by another than the owner, in words."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT what, row, lease, writer, owner, at FROM chaos_write"
                " WHERE owner IS DISTINCT FROM writer ORDER BY at"
            )
            return [
                f"{what} {row}: written by {writer} at {at}, when {owner} held {lease}"
                for what, row, lease, writer, owner, at in cursor.fetchall()
            ]

    def seen(self) -> int:
        """How many writes were compared."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM chaos_write")
            (count,) = cursor.fetchone()
        return int(count)

    def takeovers(self) -> int:
        """How often leases went to another holder: the terms beyond each lease's first."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT coalesce(sum(term - 1), 0) FROM chaos_owner")
            (count,) = cursor.fetchone()
        return int(count)

    def forget(self) -> None:
        """Drop the roles; what is in the database goes with it."""
        for role in self._roles:
            self._server.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


@contextmanager
def writers(data_dir: Path, server_url: str, database_url: str) -> Iterator[Writers]:
    """A detector on that database of the embedded server of `data_dir`."""
    parts = urlsplit(server_url)
    word = (data_dir / "postgres_superuser_password").read_text().strip()
    host = parts.netloc.rpartition("@")[2]
    superuser = urlunsplit(parts._replace(netloc=f"postgres:{word}@{host}", path="/postgres"))
    with psycopg.connect(superuser, autocommit=True) as server:
        made = Writers(server, database_url)
        try:
            yield made
        finally:
            made.forget()
