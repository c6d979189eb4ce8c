"""A list as a file: CSV or JSON, written while it is read and as slowly as its reader takes it.
However long it is, a part of it is at hand at a time."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Sequence
from enum import StrEnum
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import close_old_connections, connection
from django.http import StreamingHttpResponse
from django.utils import timezone

from projects.errors import BadRequest
from projects.offload import in_database

AT_ONCE = 500
"""So many of the list are read at a time."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_encoder = DjangoJSONEncoder(ensure_ascii=False, separators=(",", ":"))

Look = Callable[[str | None], tuple[list[dict[str, Any]], str | None]]
"""Reads the page of the list that a cursor leads to (None: the first), as values by column, and
the cursor of the next page (None: it was the last)."""


class Form(StrEnum):
    """How the file is written."""

    CSV = "csv"
    JSON = "json"

    @property
    def content_type(self) -> str:
        """Its media type."""
        return "text/csv; charset=utf-8" if self is Form.CSV else "application/json"


def read_form(text: str) -> Form:
    """The form of that name, CSV without one. Raises BadRequest."""
    try:
        return Form(text or Form.CSV)
    except ValueError:
        raise BadRequest("There is no such format; use csv or json.") from None


def as_file(name: str, form: Form, columns: Sequence[str], look: Look) -> StreamingHttpResponse:
    """The list as a file of that name and the time."""
    reply = StreamingHttpResponse(_written(form, columns, look), content_type=form.content_type)
    stamped = f"{name}-{timezone.now():%Y-%m-%d-%H%M}.{form}"
    reply["Content-Disposition"] = f'attachment; filename="{stamped}"'
    reply["Cache-Control"] = "private, no-store"
    # Django gives the request's connection back when the answer has ended; this one reads
    # through connections of its own, and as slowly as its reader.
    if not connection.in_atomic_block:
        close_old_connections()
    return reply


async def _written(form: Form, columns: Sequence[str], look: Look) -> AsyncIterator[bytes]:
    """The file, piece by piece. JSON says at its end that it is `complete`; of an answer that
    breaks off every client says so."""
    yield _csv([columns]) if form is Form.CSV else b'{"items":['
    first, cursor, more = True, None, True
    while more:
        values, cursor = await in_database(look, cursor)
        if values:
            yield _piece(form, columns, values, first=first)
        first, more = first and not values, cursor is not None
    if form is Form.JSON:
        yield b'],"complete":true}\n'


def _piece(
    form: Form, columns: Sequence[str], values: Sequence[dict[str, Any]], *, first: bool
) -> bytes:
    if form is Form.JSON:
        return (("" if first else ",") + ",".join(map(_encoder.encode, values))).encode()
    return _csv([[_cell(one[name]) for name in columns] for one in values])


def _cell(value: Any) -> str:
    """A cell that no spreadsheet takes for a formula."""
    if value is None:
        return ""
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    if isinstance(value, int | float):
        return str(value)
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _csv(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
