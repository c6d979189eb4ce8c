"""Writing events: what changed, from, to, why, by whom, through what. Append-only."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from projects.actor import Actor
from projects.sql import fetch


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
    fetch(
        "record_events",
        [actor.kind, actor.id, actor.name, actor.via, actor.request_id, json.dumps(rows)],
    )
