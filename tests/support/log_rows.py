"""Log chunks put into the table as the log writer does it."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import UTC, datetime

from django.db import transaction

from jobs.log.frames import Chunk, Position, pack
from jobs.models import Attempt, LogChunk
from providers.driver import LogFrame, Stream

_START = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * 10**9


def lines(first: int, count: int, *, width: int = 40) -> list[LogFrame]:
    """Numbered lines on standard output whose text hardly compresses."""
    random_bytes = random.Random(first)
    return [
        LogFrame(
            Stream.STDOUT,
            _START + number * 10**6,
            b"%d %s\n" % (number, random_bytes.randbytes(width // 2).hex().encode()),
            True,
            True,
        )
        for number in range(first, first + count)
    ]


def append(attempt: Attempt, frames: Iterable[LogFrame]) -> list[Chunk]:
    """Appends frames to an attempt's log, in one transaction; returns the chunks."""
    with transaction.atomic():
        row = Attempt.objects.select_for_update().get(pk=attempt.pk)
        position = Position(row.log_seq, row.log_lines, row.log_stdout_bytes, row.log_stderr_bytes)
        chunks, position = pack(frames, position)
        LogChunk.objects.bulk_create(
            LogChunk(attempt_id=attempt.pk, **{name: getattr(c, name) for name in Chunk.__slots__})
            for c in chunks
        )
        row.log_seq, row.log_lines = position.seq, position.lines
        row.log_stdout_bytes, row.log_stderr_bytes = position.stdout_bytes, position.stderr_bytes
        row.save(update_fields=["log_seq", "log_lines", "log_stdout_bytes", "log_stderr_bytes"])
    return chunks
