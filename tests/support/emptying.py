"""The emptying of all tables after a test, beside web processes that may still read them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.errors import DeadlockDetected

TIMES = 5
"""Emptyings that may end for a deadlock, one after the other, before it is a fault."""


def empty_again_after_a_deadlock(connection: BaseDatabaseWrapper) -> None:
    """Have Django's flush done again where Postgres ended it for a deadlock.

    What a browser asked for last, before it was closed, may reach the database at any time
    after: a statement over two tables and the emptying of all may then wait for each other,
    and it is chance which of them Postgres ends. Nothing else may have this connection's
    tables, so the statement is through by the next time.
    """
    empty: Callable[[Iterable[str]], None] = connection.ops.execute_sql_flush

    def again(sql_list: Iterable[str]) -> None:
        for left in reversed(range(TIMES)):
            try:
                return empty(sql_list)
            except OperationalError as error:
                if not left or not isinstance(error.__cause__, DeadlockDetected):
                    raise

    connection.ops.execute_sql_flush = again  # type: ignore[method-assign]
