"""Cutting raw output into `LogFrame`s: at line ends, and long lines into pieces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from providers.driver import LogFrame, Stream

PIECE_BYTES = 16 * 1024
"""A longer line becomes several frames, so that no reader ever needs a whole line in memory."""


class LineCutter:
    """Turns chunks into frames, and remembers which streams are inside a line.

    `unfinished` goes into a driver's cursor, so that the flags stay right after a resume.
    """

    def __init__(self, unfinished: Iterable[str] = ()) -> None:
        self._unfinished = {Stream(name) for name in unfinished}

    @property
    def unfinished(self) -> list[str]:
        return sorted(self._unfinished)

    def forget(self) -> None:
        """After a gap: the next frame of each stream counts as the start of a line."""
        self._unfinished.clear()

    def cut(self, stream: Stream, at_ns: int, data: bytes) -> Iterator[LogFrame]:
        """The frames of one chunk; none goes over a line's end or above PIECE_BYTES."""
        at = 0
        while at < len(data):
            newline = data.find(b"\n", at, at + PIECE_BYTES)
            end = newline + 1 if newline >= 0 else at + PIECE_BYTES
            piece = data[at:end]
            starts = stream not in self._unfinished
            if newline >= 0:
                self._unfinished.discard(stream)
            else:
                self._unfinished.add(stream)
            yield LogFrame(stream, at_ns, piece, starts, newline >= 0)
            at = end
