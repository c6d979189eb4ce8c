"""Database work for code on the event loop: a few threads, each call short.

Sockets and log followers may be many; their reads go through these threads, so that they
never take more than a few connections from the process's pool.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar

from django.db import close_old_connections

P = ParamSpec("P")
R = TypeVar("R")

THREADS = 2
_executor = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="live-db")


async def in_thread(
    threads: Executor, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs
) -> R:
    """Call a synchronous function in one of these threads, in a context of its own.

    As asgiref's `sync_to_async`, of which each call costs several times as much on the event
    loop; what is called here calls nothing asynchronous in its turn.
    """
    call = partial(copy_context().run, function, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(threads, call)


async def in_database(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a synchronous function that uses the database, and give its connection back."""

    def call() -> R:
        close_old_connections()
        try:
            return function(*args, **kwargs)
        finally:
            close_old_connections()

    return await in_thread(_executor, call)
