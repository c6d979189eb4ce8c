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
        place = self._cursor if "read" in self._cursor else None
        self._seeker = Seeker(place) if place else None
        self.since = self._seeker.since if self._seeker else ""
        self._parser = FrameParser()
        self._reader = PieceReader()
        self._position = Position(place)
        self._lines = LineTracker(place)
        self._held: list[Piece] = []

    @property
    def unfinished(self) -> bool:
        """True while the last bytes are a part of a frame."""
        return self._parser.unfinished

    def feed(self, data: bytes) -> LogBatch | None:
        """The new frames in these bytes, None when there are none. Raises NotALog."""
        frames: list[LogFrame] = []
        gap = ""
        for stream, payload in self._parser.feed(data):
            if stream == SYSTEM_ERROR:
                gap = f"the engine could not read its log: {payload.decode(errors='replace')}"
                continue
            piece = self._reader.piece(stream, payload)
            if self._seeker is None:
                frames.append(self._new(piece))
            elif passed := self._seek(piece, self._seeker):
                gap = GAP
                frames += passed
        return self._batch(frames, gap)

    def finish(self) -> LogBatch | None:
        """What was held back when the answer ended: better shown after a gap than dropped."""
        return self._batch(self._released(), GAP) if self._held else None

    def _new(self, piece: Piece) -> LogFrame:
        self._position.add(fingerprint(piece))
        return self._lines.frame(piece)

    def _seek(self, piece: Piece, seeker: Seeker) -> list[LogFrame]:
        """Pass over one frame that was read before; all that is new when the place is gone."""
        verdict = seeker.take(fingerprint(piece))
        if verdict is Verdict.BEFORE:
            if not seeker.certain:
                self._held.append(piece)
            return []
        self._seeker = None
        if verdict is Verdict.PLACE:
            self._held.clear()
            return []
        self._held.append(piece)
        return self._released()

    def _released(self) -> list[LogFrame]:
        """All that was held back, as new: whether it starts within a line is not known."""
        self._seeker = None
        self._lines = LineTracker()
        pieces, self._held = self._held, []
        return [self._new(piece) for piece in pieces]

    def _batch(self, frames: list[LogFrame], gap: str) -> LogBatch | None:
        if frames:
            state = self._lines.state
            stamps = (stamp for _, stamp in state["cut"])
            self._cursor = self._position.cursor(stamps) | state
        return LogBatch(tuple(frames), self._cursor, gap) if frames or gap else None
