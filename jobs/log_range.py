"""A stretch of a log that a page does not show yet, in batches the page asks for."""

from __future__ import annotations

from typing import Any

from jobs.archive import Gap
from jobs.log_follow import BATCH_BYTES, read_after
from jobs.log_seek import seq_before_line
from jobs.log_text import LogText, Row
from jobs.logs import Stretch


def read_range(
    attempt_id: int, *, after_seq: int, until_seq: int, from_line: int = 0
) -> dict[str, Any]:
    """One batch of the chunks after `after_seq` up to `until_seq`.

    `from_line` moves the beginning forward to that line's chunk. The answer has `after`
    (where it really began), `seq` (where to go on), `done`, `rows`, and `first_line`, the
    number of the line at `after`. What is missing from the store comes in `lost`, in words.
    """
    if from_line:
        after_seq = max(after_seq, min(seq_before_line(attempt_id, from_line), until_seq))
    reading = read_after(attempt_id, after_seq, BATCH_BYTES)
    text, rows, lost = LogText(), list[Row](), list[str]()
    seq = after_seq
    for item in reading.items:
        last = item.last_seq if isinstance(item, Gap) else item.seq
        if seq >= until_seq:
            break
        if isinstance(item, Stretch):
            rows += text.rows(item.pieces)
        else:
            lost.append(f"lines from {item.first_line}: {item.why}")
        seq = last
    return {
        "after": after_seq,
        "seq": seq,
        "done": seq >= until_seq or not reading.items,
        "first_line": reading.first_line,
        "rows": rows,
        "lost": lost,
    }
