"""The activity as a file: all that a filter lists, newest first, for whoever sees it."""

from __future__ import annotations

from typing import Any

from jobs.presenters import event_values
from orchestrator.activity_filter import Asked
from projects.activity import activity_page, project_slugs
from projects.actor import Actor
from projects.export import AT_ONCE, Look
from projects.models import Event

COLUMNS = (
    "id", "at", "type", "subject_kind", "subject_id", "project", "from", "to", "reason",
    "reason_text", "actor_kind", "actor", "via", "request_id", "detail",
)  # fmt: skip


def activity_look(actor: Actor, found: Asked) -> Look:
    """Reads the events of a filter, all that there were when it began."""

    def look(cursor: str | None) -> tuple[list[dict[str, Any]], str | None]:
        page = activity_page(
            actor, found.wanted, limit=AT_ONCE, cursor=cursor, filters=found.as_query()
        )
        slugs = project_slugs(actor, sorted({e.project_id for e in page.items if e.project_id}))
        values = [_values(event, slugs.get(event.project_id or 0)) for event in page.items]
        return values, page.next_cursor

    return look


def _values(event: Event, project: str | None) -> dict[str, Any]:
    about = {"subject_kind": event.subject_kind, "subject_id": event.subject_id}
    return event_values(event) | about | {"project": project}
