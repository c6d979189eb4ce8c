"""Bytes of one log answer → batches with cursors. Pure."""

from __future__ import annotations

from providers.driver import Cursor, LogBatch, LogFrame
from providers.drivers.docker.frames import SYSTEM_ERROR, FrameParser, LineTracker
from providers.drivers.docker.resume import Position, Seeker, fingerprint

GAP = "output before this may be lost: the engine rotated it away before it was read"
_START: Cursor = {"v": 1}


class LogDecoder:
    """Decodes one answer that was asked for from `since`, passing over what was read before."""

    def __init__(self, cursor: Cursor | None) -> None:
        self._cursor = cursor or _START
        self._seeker = Seeker(cursor if cursor and "anchor" in cursor else None)
        self._parser = FrameParser()
        self._lines = LineTracker()
        self._position = Position()
        self._held: list[LogFrame] = []

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
        return self._position.cursor(self._lines.open_streams)

    def feed(self, data: bytes) -> LogBatch | None:
        """The new frames in these bytes, None when there are none. Raises NotALog."""
        frames: list[LogFrame] = []
        gap = ""
        for stream, payload in self._parser.feed(data):
            if stream == SYSTEM_ERROR:
                gap = f"the engine could not read its log: {payload.decode(errors='replace')}"
                continue
            frame = self._lines.frame(stream, payload)
            self._position.add(print_ := fingerprint(frame))
            if self._seeker.found:
                frames.append(frame)
            elif self._seeker.lost(print_):
                gap = GAP
                frames += [*self._held, frame]
                self._held.clear()
            else:
                self._skip(frame)
        return LogBatch(tuple(frames), self.cursor, gap) if frames or gap else None

    def finish(self) -> LogBatch | None:
        """What was held back when the answer ended: better shown after a gap than dropped."""
        if self._seeker.found or not self._held:
            return None
        frames, self._held = tuple(self._held), []
        self._seeker.found = True
        return LogBatch(frames, self.cursor, GAP)

    def _skip(self, frame: LogFrame) -> None:
        """Pass over a frame that was read before; keep it while that is not certain."""
        if self._seeker.found:
            self._held.clear()
            self._lines = LineTracker(self._seeker.open_streams)
        elif not self._seeker.certain:
            self._held.append(frame)
