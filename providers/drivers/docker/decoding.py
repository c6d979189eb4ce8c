"""Bytes of one log answer → batches with cursors. Pure."""

from __future__ import annotations

from providers.driver import Cursor, LogBatch, LogFrame, Stream
from providers.drivers.docker.frames import SYSTEM_ERROR, FrameParser, Piece, PieceReader
from providers.drivers.docker.lines import LineTracker
from providers.drivers.docker.resume import (
    Fingerprint,
    Position,
    Seeker,
    Verdict,
    fingerprint,
    last_read,
)

GAP = "output before this may be lost: the engine rotated it away before it was read"
_START: Cursor = {"v": 1}


class LogDecoder:
    """Decodes one answer that was asked for from `since`, passing over what was read before.

    Of a `followed` answer no frame is believed that is not younger than the one before it
    on its stream: engines repeat an old one now and then when they rotate their file (20.10
    does). Such an answer is `doubtful` and given up; a plain one tells what is true.
    """

    def __init__(self, cursor: Cursor | None, *, followed: bool = False) -> None:
        self.doubtful = False
        self._followed = followed
        self._stamps: dict[Stream, int] = {}
        self._cursor = cursor or _START
        place = self._cursor if "read" in self._cursor else None
        self._seeker = Seeker(place) if place else None
        self.since = self._seeker.since if self._seeker else ""
        self._parser = FrameParser()
        self._reader = PieceReader()
        self._position = Position(place)
        self._lines = LineTracker(place)
        self._held: list[Piece] = []
        self._found_last = False

    @property
    def last(self) -> Fingerprint | None:
        """The last frame, as `last_read` tells it of a cursor."""
        return last_read(self._position.cursor()) if self._stamps else None

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
            if self._seeker is not None and self._seeker.passes_over(payload):
                self._held.clear()
                continue
            piece = self._reader.piece(stream, payload)
            if self._seeker is None and self._is_doubtful(piece):
                self.doubtful = True
                break
            if self._seeker is None:
                frames.append(self._new(piece))
            else:
                passed = self._seek(piece, self._seeker)
                if passed is not None:
                    gap = GAP
                    frames += passed
        return self._batch(frames, gap)

    def finish(self) -> LogBatch | None:
        """What was held back when the answer ended: better shown after a gap than dropped."""
        searching = self._seeker is not None and not self._seeker.certain
        if not searching or not (self._held or self._found_last):
            return None
        return self._batch(self._released(), GAP)

    def _is_doubtful(self, piece: Piece) -> bool:
        before = self._stamps.get(piece.stream, -1)
        return self._followed and piece.at_ns <= before and not self._lines.expects(piece)

    def _new(self, piece: Piece) -> LogFrame:
        self._stamps[piece.stream] = piece.at_ns
        self._position.add(piece)
        return self._lines.frame(piece)

    def _seek(self, piece: Piece, seeker: Seeker) -> list[LogFrame] | None:
        """Pass over one frame that was read before; what is new when the place is gone."""
        verdict = seeker.take(fingerprint(piece))
        if verdict is Verdict.BEFORE:
            if self._found_last or not seeker.certain:
                self._held.append(piece)
            else:
                self._held.clear()
            return None
        if verdict is not Verdict.PASSED:
            self._held.clear()
            self._found_last = True
        if verdict is Verdict.LAST:
            return None
        self._seeker = None
        if verdict is Verdict.PLACE:
            return None
        if verdict is Verdict.MOVED:
            self._position = self._position.after_gap()
            self._position.add(piece)
            return []
        self._held.append(piece)
        return self._released()

    def _released(self) -> list[LogFrame]:
        """All that was held back, as new: whether it starts within a line is not known."""
        self._seeker = None
        self._position = self._position.after_gap()
        if not self._found_last:
            self._lines = LineTracker()
        pieces, self._held = self._held, []
        return [self._new(piece) for piece in pieces]

    def _batch(self, frames: list[LogFrame], gap: str) -> LogBatch | None:
        if frames:
            state = self._lines.state
            stamps = (stamp for _, stamp in state["cut"])
            self._cursor = self._position.cursor(stamps) | state
        return LogBatch(tuple(frames), self._cursor, gap) if frames or gap else None
