"""Appending to logs: all attempts' chunks of a moment in one fenced transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobs.log.frames import Chunk, Position
from jobs.models import LogChunk
from jobs.sql import fetch
from projects.storable import storable
from providers.leases import Fence, fenced

NOTE_CHARACTERS = 255


@dataclass(frozen=True, slots=True)
class Append:
    """New chunks of one attempt: where its log stood before and stands after, and the
    driver's cursor from which reading goes on."""

    attempt: int
    fence: Fence
    before: Position
    after: Position
    cursor: Mapping[str, Any]
    chunks: tuple[Chunk, ...]
    note: str = ""


def append(appends: Sequence[Append]) -> set[int]:
    """Store chunks inside the caller's transaction; returns the attempts that were written.

    One whose lease is lost, or whose log has grown by another hand, writes nothing.
    """
    held = fenced({a.fence for a in appends})
    rows = [
        {
            "id": a.attempt,
            "was": a.before.seq,
            "seq": a.after.seq,
            "lines": a.after.lines,
            "stdout": a.after.stdout_bytes,
            "stderr": a.after.stderr_bytes,
            "cursor": dict(a.cursor),
            "note": storable(a.note, NOTE_CHARACTERS) if a.note else None,
        }
        for a in appends
        if a.fence in held
    ]
    if not rows:
        return set()
    grown = {int(row[0]) for row in fetch("grow_logs", [json.dumps(rows)])}
    LogChunk.objects.bulk_create(
        LogChunk(
            attempt_id=a.attempt,
            seq=c.seq,
            first_line=c.first_line,
            lines=c.lines,
            first_at=c.first_at,
            last_at=c.last_at,
            stdout_offset=c.stdout_offset,
            stderr_offset=c.stderr_offset,
            crc32=c.crc32,
            codec=c.codec,
            body=c.body,
        )
        for a in appends
        if a.attempt in grown
        for c in a.chunks
    )
    return grown
