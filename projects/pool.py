"""The database connections that a web process pools."""

from __future__ import annotations

from django.db import connection


def look_over_pool() -> None:
    """Replace the pool's connections that the database has ended: a restart ends all, and each
    would refuse one request. Does nothing in a process without a pool.

    The pool's own check at each use finds them one by one, with growing pauses, for seconds.
    """
    pool = connection.pool  # type: ignore[attr-defined]  # the stubs do not know it
    if pool is not None and not pool.closed:
        pool.check()


def look_over_if_lost() -> None:
    """Do so where this thread's connection was found to be ended."""
    if connection.errors_occurred and not connection.is_usable():
        look_over_pool()
