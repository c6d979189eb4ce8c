"""A person's change that met a deadlock is made again."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import OperationalError, connection
from psycopg.errors import DeadlockDetected

P = ParamSpec("P")
R = TypeVar("R")
TRIES = 4


def despite_deadlocks(change: Callable[P, R]) -> Callable[P, R]:
    """Many jobs at once may meet the planner's rows in another order than it does; the
    server then breaks one of the two off, and a person's request is simply made again."""

    @wraps(change)
    def tried(*args: P.args, **kwargs: P.kwargs) -> R:
        for left in reversed(range(TRIES)):
            try:
                return change(*args, **kwargs)
            except OperationalError as error:
                deadlock = isinstance(error.__cause__, DeadlockDetected)
                if not (deadlock and left) or connection.in_atomic_block:
                    raise
        raise AssertionError("the last try returns or raises")

    return tried
