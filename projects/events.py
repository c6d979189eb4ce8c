"""Writing events: what changed, from, to, why, by whom, through what. Append-only."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from projects.actor import Actor

_INSERT = """
INSERT INTO projects_event
    (subject_kind, subject_id, project_id, type, from_state, to_state, reason, detail,
     actor_kind, actor_id, actor_name, via, request_id)
SELECT e.kind, e.id, e.project, e.type, e.source, e.target, e.reason, e.detail,
       %s, %s, %s, %s, %s
FROM jsonb_to_recordset(%s::jsonb) AS e
    (kind text, id bigint, project bigint, type text, source text, target text,
     reason text, detail jsonb)
"""


@dataclass(frozen=True, slots=True)
class Happening:
    """One event to record. `kind` and `id` name its subject (job, provider, project, …)."""

    kind: str
    id: int
    type: str
    project: int | None = None
    source: str = ""
    target: str = ""
    reason: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


def record(happenings: Sequence[Happening], actor: Actor) -> None:
    """Write events in one statement, inside the caller's transaction."""
    if not happenings:
        return
    rows = [
        {
            "kind": h.kind,
            "id": h.id,
            "project": h.project,
            "type": h.type,
            "source": h.source,
            "target": h.target,
            "reason": h.reason,
            "detail": dict(h.detail),
        }
        for h in happenings
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            _INSERT,
            [
                actor.kind,
                actor.id,
                actor.name,
                actor.via,
                actor.request_id,
                json.dumps(rows),
            ],
        )
