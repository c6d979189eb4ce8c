"""Whether an error means that the database is of no use now, and may be asked again later."""

from __future__ import annotations

import psycopg
from django.db import InterfaceError, InternalError, OperationalError
from psycopg.errors import IdleInTransactionSessionTimeout, ReadOnlySqlTransaction

_DOWN = (
    OperationalError,
    InterfaceError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
    # The server has ended a session that hung in its transaction.
    IdleInTransactionSessionTimeout,
    # It takes no writes: a standby, or one that is kept from writing while its disk is full.
    ReadOnlySqlTransaction,
)


def is_down(error: BaseException | None) -> bool:
    """True where neither the question nor the program that asked is to blame. Of Django's errors
    or psycopg's own: Django counts the last two among those that only a wrong program makes."""
    return isinstance(error.__cause__ if isinstance(error, InternalError) else error, _DOWN)
