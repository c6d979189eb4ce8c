"""Whether an error means that the database is of no use now, and may be asked again later."""

from __future__ import annotations

from django.db import InterfaceError, InternalError, OperationalError
from psycopg.errors import IdleInTransactionSessionTimeout, ReadOnlySqlTransaction

_OF_NO_USE = (
    # The server has ended a session that hung in its transaction.
    IdleInTransactionSessionTimeout,
    # It takes no writes: a standby, or one that is kept from writing while its disk is full.
    ReadOnlySqlTransaction,
)
"""What Django counts among the errors that only a wrong program makes."""


def is_down(error: BaseException | None) -> bool:
    """True where neither the question nor the program that asked is to blame."""
    if isinstance(error, InternalError):
        return isinstance(error.__cause__, _OF_NO_USE)
    return isinstance(error, OperationalError | InterfaceError)
