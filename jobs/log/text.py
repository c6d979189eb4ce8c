"""Stored bytes as text for a browser: decoded across the borders of pieces. Pure."""

from __future__ import annotations

import codecs

from jobs.log.frames import Piece
from providers.driver import Stream

_decoder = codecs.getincrementaldecoder("utf-8")

STDERR, STARTS, ENDS = 1, 2, 4
"""Flags of a row as a browser gets it; the bits are those of the stored frame."""

Row = tuple[int, int, int, str]
"""Line number, flags, stamp in ms since the epoch, text without the newline."""


class LogText:
    """Turns pieces into rows, one log at a time.

    A character that is cut in two by a piece's border is kept until its rest comes. What
    is not UTF-8 becomes U+FFFD. Control characters stay: the browser shows them as signs.
    """

    def __init__(self) -> None:
        self._decoders = {stream: _decoder("replace") for stream in Stream}

    def rows(self, pieces: list[Piece]) -> list[Row]:
        """The rows for these pieces."""
        return [self._row(piece) for piece in pieces]

    def _row(self, piece: Piece) -> Row:
        frame = piece.frame
        decoder = self._decoders[frame.stream]
        if frame.starts_line:
            decoder.reset()
        text = decoder.decode(frame.data, final=frame.ends_line)
        flags = STDERR if frame.stream == Stream.STDERR else 0
        flags |= (STARTS if frame.starts_line else 0) | (ENDS if frame.ends_line else 0)
        return piece.line, flags, frame.at_ns // 1_000_000, text.removesuffix("\n")
