"""Who listens for notices waits for a database that is away, whatever kind of away."""

from __future__ import annotations

import psycopg
import pytest
from django.db import connection

from orchestrator.loop.wake import Wake
from orchestrator.store import StoreDown


class Refusing:
    """A connection on which LISTEN is refused."""

    def __init__(self, error: psycopg.Error) -> None:
        self.error = error
        self.closed = False

    def execute(self, statement: str) -> None:
        raise self.error

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (psycopg.OperationalError("the connection is lost"), StoreDown),
        # the word of a standby, as after a failover
        (
            psycopg.errors.ReadOnlySqlTransaction("cannot execute LISTEN during recovery"),
            StoreDown,
        ),
        (psycopg.ProgrammingError("a bug of ours"), psycopg.ProgrammingError),
    ],
)
def test_a_database_that_lets_nobody_listen_now_is_asked_again(
    error: psycopg.Error, raised: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    link = Refusing(error)
    monkeypatch.setattr(connection, "get_connection_params", dict)
    monkeypatch.setattr(psycopg, "connect", lambda **_: link)
    with pytest.raises(raised):
        Wake({}).run_once()
    assert link.closed
