"""The activity as a file: CSV or JSON, written while it is read, newest first, bounded."""

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
from projects.activity import Found, activity_page, project_slugs
from projects.actor import Actor
from projects.models import Event
from projects.offload import in_database

MOST_EXPORTED = 10_000
"""Events of one file; narrow the filter, or end it where this one ends, for more."""
MOST_LOOKS = 100
"""Reads for one file, of which some may find nothing."""
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
    """The file, piece by piece. JSON says at its end whether it is `complete`."""
    yield _csv([_COLUMNS]) if form is Form.CSV else b'{"items":['
    count, cursor = 0, None
    for _ in range(MOST_LOOKS):
        values, page = await in_database(_look, actor, found, cursor)
        if values:
            yield _piece(form, values, first=count == 0)
        count, cursor = count + len(values), page.next_cursor
        if cursor is None or count >= MOST_EXPORTED:
            break
    if form is Form.JSON:
        yield b'],"complete":%s}\n' % (b"true" if cursor is None else b"false")


def _look(actor: Actor, found: Asked, cursor: str | None) -> tuple[list[dict[str, Any]], Found]:
    page = activity_page(
        actor, found.wanted, limit=_AT_ONCE, cursor=cursor, filters=found.as_query()
    )
    slugs = project_slugs(actor, sorted({e.project_id for e in page.items if e.project_id}))
    return [_values(event, slugs.get(event.project_id or 0)) for event in page.items], page


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
