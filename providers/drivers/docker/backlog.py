"""Whether the beginning of a log was rotated away before it was ever read. Pure.

A reading from the beginning has no frame to recognise, so the engine's first may be any. But
an engine that has thrown a file away holds all its others full: had it written less than
those before it was asked, it has everything.
"""

from __future__ import annotations

from dataclasses import replace

from providers.driver import LogBatch

BEGINNING = "its beginning may be lost: the engine had rotated it away before it was read"
_RECORD_BYTES = 28
"""What the engine's files hold of a record besides its text, at least."""
_CERTAIN = 0.97


class Backlog:
    """What the engine had when a log was first read."""

    def __init__(self, file_bytes: int, files: int) -> None:
        self._room = file_bytes * (files - 1) * _CERTAIN
        self._size = 0
        self._open = True
        self._asked_ns = 0

    def judged(self, batch: LogBatch, answered_ns: int) -> LogBatch:
        """The next batch, with the gap where what came so far could be the rest of more.
        `answered_ns`: when the engine began to answer; the first answer counts."""
        if not self._open:
            return batch
        self._asked_ns = self._asked_ns or answered_ns
        for frame in batch.frames:
            if frame.at_ns >= self._asked_ns:
                self._open = False  # written while we read: nothing rotates behind us unseen
                return batch
            self._size += len(frame.data) + _RECORD_BYTES
        if self._size < self._room:
            return batch
        self._open = False
        return replace(batch, gap=batch.gap or BEGINNING)
