"""Bytes of one log answer → batches with cursors. Pure."""

from __future__ import annotations

from providers.driver import Cursor, LogBatch, LogFrame
from providers.drivers.docker.frames import SYSTEM_ERROR, FrameParser, Piece, PieceReader
from providers.drivers.docker.lines import LineTracker
from providers.drivers.docker.resume import Position, Seeker, Verdict, fingerprint

GAP = "output before this may be lost: the engine rotated it away before it was read"
_START: Cursor = {"v": 1}


class LogDecoder:
    """Decodes one answer that was asked for from `since`, passing over what was read before."""

    def __init__(self, cursor: Cursor | None) -> None:
        self._cursor = cursor or _START
        self._seeker = Seeker(cursor if cursor and "anchor" in cursor else None)
        self._parser = FrameParser()
        self._reader = PieceReader()
        self._position = Position()
        self._lines = LineTracker(self._cursor)
        self._held: list[Piece] = []

    @property
    def since(self) -> str:
        """The engine's `since`, empty for the beginning."""
        return self._seeker.since

    @property
    def unfinished(self) -> bool:
        """True while the last bytes are a part of a frame."""
        return self._parser.unfinished

    @property
    def cursor(self) -> Cursor:
        """The place after the last batch."""
        if not self._seeker.found or self._held or not self._position.begun:
            return self._cursor
        return self._position.cursor() | self._lines.state

    def feed(self, data: bytes) -> LogBatch | None:
        """The new frames in these bytes, None when there are none. Raises NotALog."""
        frames: list[LogFrame] = []
        gap = ""
        for stream, payload in self._parser.feed(data):
            if stream == SYSTEM_ERROR:
                gap = f"the engine could not read its log: {payload.decode(errors='replace')}"
                continue
            piece = self._reader.piece(stream, payload)
            self._position.add(print_ := fingerprint(piece))
            if self._seeker.found:
                frames.append(self._lines.frame(piece))
                continue
            verdict = self._seeker.take(print_)
            if verdict is Verdict.PASSED:
                gap = GAP
                frames += self._released(piece)
            elif verdict is Verdict.PLACE:
                self._held.clear()
            elif not self._seeker.certain:
                self._held.append(piece)
        return LogBatch(tuple(frames), self.cursor, gap) if frames or gap else None

    def finish(self) -> LogBatch | None:
        """What was held back when the answer ended: better shown after a gap than dropped."""
        if self._seeker.found or not self._held:
            return None
        self._seeker.found = True
        return LogBatch(tuple(self._released()), self.cursor, GAP)

    def _released(self, *more: Piece) -> list[LogFrame]:
        """All that was held back, as new frames: whether they start a line is not known."""
        self._lines = LineTracker()
        pieces = [*self._held, *more]
        self._held.clear()
        return [self._lines.frame(piece) for piece in pieces]
