"""The emptying of the tests' tables, which a web process may still read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction

from tests.support.connections import blocked_sessions, other_session
from tests.support.emptying import empty_again_after_a_deadlock
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
FIRST, LAST = "jobs_job", "jobs_attempt"


def test_an_emptying_that_was_ended_for_a_deadlock_is_done_again() -> None:
    statements = [f"TRUNCATE {name} CASCADE" for name in (LAST, FIRST)]
    begun: list[str] = []

    def noted(execute: Callable[..., Any], sql: str, *rest: object) -> Any:
        begun.append(sql)
        return execute(sql, *rest)

    def empty() -> None:
        empty_again_after_a_deadlock(connection)  # this session's own
        with connection.execute_wrapper(noted):
            connection.ops.execute_sql_flush(statements)

    with other_session() as other:
        with transaction.atomic(), connection.cursor() as reader:
            reader.execute(f"SELECT FROM {FIRST}")
            emptied = other.begin(empty)
            wait_until(lambda: blocked_sessions() == 1, 10, "the emptying waits for the reader")
            # Postgres ends whom it looks at first: the one that waits longer.
            reader.execute(f"SELECT FROM {LAST}")
        emptied.result(10)
    assert begun == statements * 2
