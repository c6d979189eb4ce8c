"""A second connection to the tests' database: another process, as far as Postgres can tell."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any, TypeVar

import psycopg
from django.db import connection

T = TypeVar("T")


class OtherSession:
    """A thread with a connection of its own that does, one by one, what it is given."""

    def __init__(self) -> None:
        self._work: SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def begin(self, work: Callable[[], T]) -> Future[T]:
        """Have it done there; the future tells the outcome."""
        future: Future[T] = Future()
        self._work.put((work, future))
        return future

    def do(self, work: Callable[[], T], deadline_seconds: float = 10) -> T:
        """Have it done there, and wait."""
        return self.begin(work).result(deadline_seconds)

    def close(self) -> None:
        """End the thread and its connection."""
        self._work.put(None)
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        while (item := self._work.get()) is not None:
            work, future = item
            try:
                future.set_result(work())
            except BaseException as error:
                future.set_exception(error)
        connection.close()


@contextmanager
def other_session() -> Iterator[OtherSession]:
    """A session that is closed at the end."""
    session = OtherSession()
    try:
        yield session
    finally:
        session.close()


@contextmanager
def listening(channel: str) -> Iterator[Callable[[], list[str]]]:
    """Listens on a channel; the value answers what was told since it was last asked.

    Everything committed before the question is in the answer: the server sends notices
    to an idle listener before the answer to its next command.
    """
    params = connection.get_connection_params()
    for only_for_django in ("cursor_factory", "context"):
        params.pop(only_for_django, None)
    with psycopg.connect(**params, autocommit=True) as listener:
        told: list[str] = []
        listener.add_notify_handler(lambda notice: told.append(notice.payload))
        listener.execute(f"LISTEN {channel}")

        def since() -> list[str]:
            listener.execute("SELECT 1")
            answer = told[:]
            told.clear()
            return answer

        yield since


def blocked_sessions() -> int:
    """How many sessions wait for another's lock."""
    with connection.cursor() as cursor:
        # pg_locks tells of now, also inside a transaction; pg_stat_activity does not.
        cursor.execute("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")
        return int(cursor.fetchone()[0])


def others_rest() -> bool:
    """Whether no other session of this database is in the middle of a statement or transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()"
            " AND backend_type = 'client backend' AND pid <> pg_backend_pid() AND state <> 'idle')"
        )
        return bool(cursor.fetchone()[0])
