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
        given = state or {"open": (), "cut": ()}
        self._open = {stream: code in given["open"] for stream, code in CODES.items()}
        cut = dict(given["cut"])
        # The stamp of the line that the engine is cutting, which its next piece will bear.
        self._cut: dict[Stream, int | None] = {s: cut.get(code) for s, code in CODES.items()}

    def frame(self, piece: Piece) -> LogFrame:
        """The next piece as a frame."""
        stream, at_ns, data = piece
        ends = data.endswith(b"\n")
        full = not ends and len(data) == FULL_BYTES
        if not ends and not full and self._cut[stream] is not None:
            data += b"\n"
            ends = True
        starts = not self._open[stream]
        self._cut[stream] = at_ns if full else None
        self._open[stream] = not ends
        return LogFrame(stream, at_ns, data, starts, ends)

    def expects(self, piece: Piece) -> bool:
        """Whether it goes on with the line that the engine is cutting."""
        return self._cut[piece.stream] == piece.at_ns

    @property
    def state(self) -> dict[str, list[Any]]:
        """The streams that stand inside a line, and in one that is being cut, as JSON."""
        return {
            "open": [code for stream, code in CODES.items() if self._open[stream]],
            "cut": [[code, self._cut[s]] for s, code in CODES.items() if self._cut[s] is not None],
        }
