"""A stretch of a log that a page does not show yet, in batches the page asks for."""

from __future__ import annotations

from typing import Any

from jobs.log.archive import Gap
from jobs.log.ending import ending
from jobs.log.follow import BATCH_BYTES, read_after
from jobs.log.seek import seq_before_line
from jobs.log.text import LogText, Row


def read_range(attempt_id: int, *, after_seq: int = 0, from_line: int = 0) -> dict[str, Any]:
    """One batch of the chunks after `after_seq`, or from that line's chunk on.

    The answer has `seq` (where to go on), `last` (the seq of the last chunk there is) and
    `rows`. What is missing from the store comes in `lost`, and why; `end`, once the attempt has
    ended and this is the last of its log, tells how.
    """
    if from_line:
        after_seq = max(after_seq, seq_before_line(attempt_id, from_line))
    reading = read_after(attempt_id, after_seq, BATCH_BYTES)
    text, rows, lost = LogText(), list[Row](), list[dict[str, Any]]()
    for item in reading.items:
        if isinstance(item, Gap):
            lost.append({"first_line": item.first_line, "lines": item.lines, "why": item.why})
        else:
            rows += text.rows(item.pieces)
    found = {"seq": reading.seq, "last": reading.last_seq, "rows": rows, "lost": lost}
    return found | ({"end": ending(attempt_id)} if reading.over else {})
