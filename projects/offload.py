"""Database work for code on the event loop: a few threads, each call short.

Sockets and log followers may be many; their reads go through these threads, so that they
never take more than a few connections from the process's pool.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from django.db import close_old_connections

P = ParamSpec("P")
R = TypeVar("R")

THREADS = 2
_executor = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="live-db")


async def in_database(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a synchronous function that uses the database, and give its connection back."""

    def call() -> R:
        close_old_connections()
        try:
            return function(*args, **kwargs)
        finally:
            close_old_connections()

    return await sync_to_async(call, thread_sensitive=False, executor=_executor)()
