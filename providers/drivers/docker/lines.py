"""Pieces of output → frames that say where lines begin and end. Pure.

The engine cuts lines at 16 KiB. Its `local` log driver then forgets the newline that ended
such a line (seen on 20.10, and in the sources of later ones: only uncut lines get theirs
back), so it is put back here: after a full piece, a shorter one without a newline is the
rest of a line that had one. Of two cases the engine's answer looks the same: output that
ends with a line of more than 16 KiB, with its newline or without. The first is taken to
be meant, being the commoner by far.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.driver import LogFrame, Stream
from providers.drivers.docker.frames import Piece

FULL_BYTES = 16 * 1024
CODES = {Stream.STDOUT: 1, Stream.STDERR: 2}


class LineTracker:
    """Follows the lines of each stream."""

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        """`state` is that of an earlier tracker, to go on inside its lines."""
        given = state or {}
        self._open = {stream: CODES[stream] in given.get("open", ()) for stream in Stream}
        self._cut = {stream: CODES[stream] in given.get("cut", ()) for stream in Stream}

    def frame(self, piece: Piece) -> LogFrame:
        """The next piece as a frame."""
        stream, data = piece.stream, piece.data
        ends = data.endswith(b"\n")
        full = len(data) == FULL_BYTES and not ends
        if self._cut[stream] and not ends and not full:
            data += b"\n"
            ends = True
        starts = not self._open[stream]
        self._cut[stream] = full
        self._open[stream] = not ends
        return LogFrame(stream, piece.at_ns, data, starts, ends)

    @property
    def state(self) -> dict[str, list[int]]:
        """The streams that stand inside a line, and in one that the engine has cut, as JSON."""
        return {
            "open": [CODES[stream] for stream in Stream if self._open[stream]],
            "cut": [CODES[stream] for stream in Stream if self._cut[stream]],
        }
