"""Finding a place in an attempt's log without reading the log.

Line numbers and offsets only grow with `seq`, so a place is found by halving: over the
archive's index, then over the chunks in the table.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import Protocol

from jobs.log.archive import read_block
from jobs.log.blocks import Block, CorruptBlock
from jobs.log.left_out import LeftOut
from jobs.models import Attempt, LogChunk

_COLUMNS = ("seq", "first_line", "stdout_offset", "stderr_offset")


class _Place(Protocol):
    """Where a chunk or a block begins."""

    @property
    def first_line(self) -> int: ...
    @property
    def stdout_offset(self) -> int: ...
    @property
    def stderr_offset(self) -> int: ...


def seq_before_line(attempt_id: int, line: int) -> int:
    """Reading after this seq begins with the chunk in which the line begins."""
    found = _last_seq(attempt_id, lambda place: place.first_line <= line)
    return max(found - 1, 0)


def seq_before_tail(attempt_id: int, lines: int, most_bytes: int | None = None) -> int:
    """Reading after this seq gives at most the last `lines` lines and `most_bytes` bytes.

    Cut at a chunk's border, so it may be fewer; never none where there are any.
    """
    total = Attempt.objects.only(
        "log_seq", "log_lines", "log_stdout_bytes", "log_stderr_bytes"
    ).get(pk=attempt_id)
    size = total.log_stdout_bytes + total.log_stderr_bytes

    def too_early(place: _Place) -> bool:
        if total.log_lines - place.first_line + 1 > lines:
            return True
        left = size - place.stdout_offset - place.stderr_offset
        return most_bytes is not None and left > most_bytes

    return max(min(_last_seq(attempt_id, too_early), total.log_seq - 1), 0)


def _last_seq(attempt_id: int, before: Callable[[_Place], bool]) -> int:
    """The seq of the last chunk that begins before the place looked for; 0 where none does."""
    attempt = Attempt.objects.only(
        "log_seq", "log_archived_seq", "log_archive", "log_left_out"
    ).get(pk=attempt_id)
    archived = attempt.log_archived_seq
    left_out = LeftOut.stored(attempt.log_left_out)
    parts = [(archived, attempt.log_seq)]
    if left_out and left_out.last_seq > archived:
        parts = [(left_out.last_seq, attempt.log_seq), (archived, left_out.first_seq - 1)]
    for low, high in parts:
        found = _last_in_table(attempt, before, low, high)
        if found is None:  # archived since, or gone with its retention
            return _last_archived_seq(Attempt.objects.get(pk=attempt_id), before)
        if found > low:
            return found
    return _last_archived_seq(attempt, before)


def _last_in_table(
    attempt: Attempt, before: Callable[[_Place], bool], low: int, high: int
) -> int | None:
    """The same among the chunks after `low` up to `high`, all of them in the table; `low`
    where none does, None when one of them is not there."""
    while low < high:
        middle = (low + high + 1) // 2
        row = (
            LogChunk.objects.filter(attempt_id=attempt.pk, seq=middle)
            .only(*_COLUMNS, "attempt_id")
            .first()
        )
        if row is None:
            return None
        if before(row):
            low = middle
        else:
            high = middle - 1
    return low


def _last_archived_seq(attempt: Attempt, before: Callable[[_Place], bool]) -> int:
    blocks = [Block.stored(entry) for entry in attempt.log_archive]
    count = bisect_left(blocks, True, key=lambda block: not before(block))
    if count == 0:
        return 0
    block = blocks[count - 1]
    try:
        chunks = read_block(block)
    except (OSError, CorruptBlock):
        return block.first_seq
    return max(chunk.seq for chunk in chunks if before(chunk))
