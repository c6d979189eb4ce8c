"""Listening for NOTIFY: each word wakes the services that care. A hint, never the truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import psycopg
from django.db import connection

from orchestrator.loop.service import Service
from orchestrator.store import StoreDown
from projects.database_down import is_down
from projects.notify import ENGINE_CHANNEL

LISTEN_SECONDS = 1.0


class Wake(Service):
    """Holds one connection of its own on the engine channel."""

    name = "wake"
    interval = 0.0

    def __init__(self, callbacks: Mapping[str, Sequence[Callable[[], None]]]) -> None:
        super().__init__()
        self._callbacks = callbacks
        self._connection: psycopg.Connection[tuple[object, ...]] | None = None

    def run_once(self) -> bool:
        try:
            listener = self._listener()
            for notice in listener.notifies(timeout=LISTEN_SECONDS, stop_after=1):
                for callback in self._callbacks.get(notice.payload, ()):
                    callback()
        except psycopg.Error as error:
            self._drop()
            if not is_down(error):
                raise
            raise StoreDown(str(error).strip()) from error
        return True

    def finish(self) -> None:
        self._drop()

    def _listener(self) -> psycopg.Connection[tuple[object, ...]]:
        if self._connection is None:
            params = connection.get_connection_params()
            params.pop("cursor_factory", None)
            params.pop("context", None)
            self._connection = psycopg.connect(**params, autocommit=True)
            self._connection.execute(f"LISTEN {ENGINE_CHANNEL}")
            # What happened while nobody listened is found by a round of everyone.
            for callbacks in self._callbacks.values():
                for callback in callbacks:
                    callback()
        return self._connection

    def _drop(self) -> None:
        held, self._connection = self._connection, None
        if held is not None:
            with suppress(psycopg.Error):
                held.close()
