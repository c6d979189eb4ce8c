"""The activity as a file: CSV or JSON, newest first, written while it is read and as slowly as its
reader takes it. However long it is, a part of it is at hand at a time."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Sequence
from enum import StrEnum
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

from jobs.presenters import event_values
from orchestrator.activity_filter import Asked
from projects.activity import activity_page, project_slugs
from projects.actor import Actor
from projects.models import Event
from projects.offload import in_database

_AT_ONCE = 500
_COLUMNS = (
    "id", "at", "type", "subject_kind", "subject_id", "project", "from", "to", "reason",
    "reason_text", "actor_kind", "actor", "via", "request_id", "detail",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_encoder = DjangoJSONEncoder(ensure_ascii=False, separators=(",", ":"))


class Form(StrEnum):
    """How the file is written."""

    CSV = "csv"
    JSON = "json"

    @property
    def content_type(self) -> str:
        """Its media type."""
        return "text/csv; charset=utf-8" if self is Form.CSV else "application/json"


async def exported(actor: Actor, found: Asked, form: Form) -> AsyncIterator[bytes]:
    """The file, piece by piece: all that there was when it began. JSON says at its end that it is
    `complete`; of an answer that breaks off every client says so."""
    yield _csv([_COLUMNS]) if form is Form.CSV else b'{"items":['
    first, cursor, more = True, None, True
    while more:
        values, cursor = await in_database(_look, actor, found, cursor)
        if values:
            yield _piece(form, values, first=first)
        first, more = first and not values, cursor is not None
    if form is Form.JSON:
        yield b'],"complete":true}\n'


def _look(
    actor: Actor, found: Asked, cursor: str | None
) -> tuple[list[dict[str, Any]], str | None]:
    page = activity_page(
        actor, found.wanted, limit=_AT_ONCE, cursor=cursor, filters=found.as_query()
    )
    slugs = project_slugs(actor, sorted({e.project_id for e in page.items if e.project_id}))
    values = [_values(event, slugs.get(event.project_id or 0)) for event in page.items]
    return values, page.next_cursor


def _values(event: Event, project: str | None) -> dict[str, Any]:
    about = {"subject_kind": event.subject_kind, "subject_id": event.subject_id}
    return event_values(event) | about | {"project": project}


def _piece(form: Form, values: Sequence[dict[str, Any]], *, first: bool) -> bytes:
    if form is Form.JSON:
        return (("" if first else ",") + ",".join(map(_encoder.encode, values))).encode()
    return _csv([[_cell(name, one[name]) for name in _COLUMNS] for one in values])


def _cell(name: str, value: Any) -> str:
    """A cell that no spreadsheet takes for a formula."""
    if value is None:
        return ""
    if name == "at":
        return str(value.isoformat())
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _csv(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
