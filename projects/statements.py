"""SQL that the ORM cannot say, or says too slowly for what every request asks: one statement
a file, loaded once by name, prepared on its connection. Planning such statements anew each
time was most of their cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
from django.db import connection


class _Cursor(psycopg.Cursor[tuple[Any, ...]]):
    """Django's own put values into the text, which no server can prepare; this one does not."""

    def execute(self, query: Any, params: Any = None, **_: Any) -> _Cursor:
        return super().execute(query, params, prepare=True)

    def _convert_query(self, query: Any, params: Any = None) -> Any:
        self._query = super()._convert_query(query, params)  # Django's log of queries reads it
        return self._query


def fetch_prepared(text: str, values: Sequence[Any] | Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Execute this on the thread's connection, in its transaction, prepared there; its rows.

    Raises Django's database errors.
    """
    connection.ensure_connection()
    made = _Cursor(connection.connection)
    with connection._prepare_cursor(made) as cursor:  # type: ignore[attr-defined]
        cursor.execute(text, values)
        # Whether there are rows, without the description of each column that Django would ask for.
        result = made.pgresult
        return cursor.fetchall() if result is not None and result.nfields else []


class Statements:
    """The statements of one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._text = cache(self._read)

    def fetch(
        self, name: str, values: Sequence[Any] | Mapping[str, Any] = ()
    ) -> list[tuple[Any, ...]]:
        """The rows of `<name>.sql`: see `fetch_prepared`."""
        return fetch_prepared(self._text(name), values)

    def text(self, name: str) -> str:
        """What `<name>.sql` says, for a connection that is not Django's."""
        return self._text(name)

    def _read(self, name: str) -> str:
        return (self._folder / f"{name}.sql").read_text()
