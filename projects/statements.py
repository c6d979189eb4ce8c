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


class Statements:
    """The statements of one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._text = cache(self._read)

    def fetch(
        self, name: str, values: Sequence[Any] | Mapping[str, Any] = ()
    ) -> list[tuple[Any, ...]]:
        """Execute `<name>.sql` on this thread's connection, in its transaction; its rows.

        Raises Django's database errors. Django's own cursors put values into the text, which
        no server can prepare; hence one of psycopg's.
        """
        connection.ensure_connection()
        with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
            cursor.execute(self._text(name), values, prepare=True)
            return cursor.fetchall()

    def _read(self, name: str) -> str:
        return (self._folder / f"{name}.sql").read_text()
