"""Whether this web process can be sent requests, asked on a connection of its own.

The pool of the pages is no place to ask from: while they are busy the question would wait in
their queue, and then be told as if the database were gone. A connection for the moment of the
question also sees a database that was moved or has no room. The question has a thread of its
own, because a database that is frozen lets no call return: whoever asks meanwhile shares it.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from threading import Lock
from typing import Any

import psycopg
from django.db import connection
from django.db.migrations.loader import MigrationLoader

CONNECT_SECONDS = 2
ANSWER_SECONDS = 3.0

_thread = ThreadPoolExecutor(1, thread_name_prefix="readiness")
_guard = Lock()
_asked: Future[str] | None = None


def why_not_ready() -> str:
    """Why it cannot, in words, within ANSWER_SECONDS; empty when it can."""
    global _asked
    with _guard:
        if _asked is None or _asked.done():
            _asked = _thread.submit(_ask)
        asked = _asked
    try:
        return asked.result(ANSWER_SECONDS)
    except TimeoutError:
        return "The database does not answer in time."


def _ask() -> str:
    try:
        lacking = _known() - _applied()
    except psycopg.Error:
        return "The database does not answer, or has no room for one more connection."
    if lacking:
        return f"{len(lacking)} migrations are pending; run `manage.py migrate`."
    return ""


@cache
def _known() -> frozenset[tuple[str, str]]:
    """The migrations of this version: (app, name)."""
    return frozenset(MigrationLoader(None).graph.nodes)


def _applied() -> frozenset[tuple[str, str]]:
    """Those that the database has. Raises psycopg's errors."""
    with psycopg.connect(**_address(), autocommit=True) as asking:
        rows = asking.execute("SELECT app, name FROM django_migrations")
        return frozenset((app, name) for app, name in rows)


def _address() -> dict[str, Any]:
    """How to reach the database directly, as Django does, but not for long."""
    params = connection.get_connection_params()
    for only_for_django in ("cursor_factory", "context", "prepare_threshold"):
        params.pop(only_for_django, None)
    options = f"{params.get('options', '')} -c statement_timeout={CONNECT_SECONDS}s"
    return {**params, "connect_timeout": CONNECT_SECONDS, "options": options.strip()}
