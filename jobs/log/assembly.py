"""Whole lines out of the pieces that are stored, in the order of their numbers. Pure.

A line may come in many pieces, with lines of the other stream between them. Lines are ripe
up to the first that is still unfinished; but one that stays so while much else comes is
taken as it is, for it may be a prompt that waits for days.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from jobs.log.frames import Piece
from providers.driver import Stream

LINE_BYTES = 32 * 1024
"""Of a longer line its beginning is kept."""
_PATIENCE_BYTES = 256 * 1024


@dataclass(slots=True)
class Line:
    """A line as far as it is known."""

    number: int
    stream: Stream
    at_ns: int
    waited: int = 0
    ended: bool = False
    _size: int = 0
    _parts: list[bytes] = field(default_factory=list)

    def add(self, data: bytes, *, ends: bool) -> None:
        """The next bytes of it."""
        if self._size < LINE_BYTES:
            self._parts.append(data[: LINE_BYTES - self._size])
            self._size += len(data)
        self.ended = ends

    def text(self) -> str:
        """Without its newline; what is not UTF-8 shows as U+FFFD."""
        return b"".join(self._parts).removesuffix(b"\n").decode("utf-8", "replace")


class Assembly:
    """The lines from a number on; what began before it is passed over."""

    def __init__(self, first: int) -> None:
        self._first = first
        self._lines: dict[int, Line] = {}

    def take(self, pieces: list[Piece]) -> None:
        """One chunk's pieces."""
        if self._lines:
            size = sum(len(piece.frame.data) for piece in pieces)
            for line in self._lines.values():
                line.waited += size
        for piece in pieces:
            frame = piece.frame
            if piece.line not in self._lines:
                if piece.line < self._first or not frame.starts_line:
                    continue
                self._lines[piece.line] = Line(piece.line, frame.stream, frame.at_ns)
            self._lines[piece.line].add(frame.data, ends=frame.ends_line)

    def ripe(self, *, all_of_it: bool = False) -> Iterator[Line]:
        """The lines that can be looked at, in order; each is given once."""
        for number in sorted(self._lines):
            line = self._lines[number]
            if not (line.ended or all_of_it or line.waited >= _PATIENCE_BYTES):
                return
            del self._lines[number]
            self._first = number + 1
            yield line

    @property
    def next_line(self) -> int:
        """The first line that was not given."""
        return min(self._lines, default=self._first)
