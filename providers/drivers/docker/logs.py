"""Reading a container's output from a cursor on."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

from providers.driver import Cursor, LogBatch, LogFrame, Unreachable
from providers.drivers.docker.client import Engine
from providers.drivers.docker.frames import SYSTEM_ERROR, FrameParser, LineTracker, NotALog
from providers.drivers.docker.looking import is_running
from providers.drivers.docker.resume import GAP, Position, Seeker, fingerprint
from providers.drivers.docker.translate import EngineError, translated
from providers.drivers.docker.wire import Wire

_START: Cursor = {"v": 1, "window": [], "open": []}
_DOING = "read the log"


class DockerLogStream:
    """One reading. A batch is what one read of the socket delivered, at most 64 KiB and the
    rest of a frame: no timer delays a line."""

    def __init__(self, engine: Engine, container: str, cursor: Cursor | None, follow: bool) -> None:
        self._engine = engine
        self._container = container
        self._follow = follow
        self._wire = Wire()
        self._parser = FrameParser()
        self._cursor = cursor or _START
        self._seeker = Seeker(self._cursor)
        self._lines = LineTracker()
        self._position = Position()
        self._held: list[LogFrame] = []
        self._begun = False

    def __iter__(self) -> Iterator[LogBatch]:
        """Batches to the end. Raises Unreachable; a container that is gone ends it at once."""
        if self._begun:
            raise RuntimeError("a log stream is read once")
        self._begun = True
        if self._seeker.found:
            self._lines = LineTracker(self._seeker.open_streams)
        try:
            if not self._open():
                return
            while data := self._read():
                batch = self._batch(data)
                if batch is not None:
                    yield batch
            if self._held:  # the place was never found: better shown as a gap than dropped
                yield self._found_nothing()
            if self._parser.unfinished and not self._wire.closed:
                raise Unreachable(f"could not {_DOING}: the connection was cut within a frame")
        finally:
            self._wire.release()

    def close(self) -> None:
        """End the reading, also one that waits in another thread."""
        self._wire.close()

    def _open(self) -> bool:
        query = {"stdout": 1, "stderr": 1, "timestamps": 1, "follow": int(self._follow)}
        since = {"since": self._seeker.since} if self._seeker.since else {}
        path = f"/containers/{self._container}/logs?{urlencode(query | since)}"
        with translated(_DOING):
            try:
                self._wire.open(self._engine, path)
            except EngineError as error:
                if error.status in (404, 409):  # gone, or going: observe tells
                    return False
                raise
            except OSError:
                if self._wire.closed:
                    return False
                raise
        return True

    def _read(self) -> bytes:
        """The next bytes, b"" at the end. A quiet job is not an error, a dead engine is."""
        while True:
            with translated(_DOING):
                data = self._wire.read(self._engine.options.log_idle_seconds)
                if data is not None:
                    return data
                if not self._follow:
                    raise TimeoutError("the engine stopped sending")
                if not is_running(self._engine, self._container):
                    return b""

    def _batch(self, data: bytes) -> LogBatch | None:
        frames: list[LogFrame] = []
        gap = ""
        try:
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
        except NotALog as error:
            raise Unreachable(f"could not {_DOING}: {error}") from error
        if not frames and not gap:
            return None
        return LogBatch(tuple(frames), self._place(), gap)

    def _skip(self, frame: LogFrame) -> None:
        """Pass over a frame that was read before; keep it while that is not certain."""
        if self._seeker.found:
            self._held.clear()
            self._lines = LineTracker(self._seeker.open_streams)
        elif not self._seeker.certain:
            self._held.append(frame)

    def _found_nothing(self) -> LogBatch:
        frames, self._held = tuple(self._held), []
        self._seeker.found = True
        return LogBatch(frames, self._place(), GAP)

    def _place(self) -> Cursor:
        """The cursor after what was yielded; the old one while its place is not found."""
        if not self._seeker.found:
            return self._cursor
        return self._position.cursor(self._lines.open_streams)
