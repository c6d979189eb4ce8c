"""Reading a container's output from a cursor on."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

from providers.driver import Cursor, LogBatch, Unreachable
from providers.drivers.docker.client import Engine
from providers.drivers.docker.decoding import LogDecoder
from providers.drivers.docker.frames import NotALog
from providers.drivers.docker.looking import is_running
from providers.drivers.docker.translate import EngineError, translated
from providers.drivers.docker.wire import Wire

_DOING = "read the log"


class DockerLogStream:
    """One reading. A batch is what one read of the socket delivered, at most 64 KiB and the
    rest of a frame: no timer delays a line.

    A followed reading ends with a second, plain one from its own cursor on: engines drop
    the last lines of a followed `local` log when a program ends right after writing them
    (seen on 20.10 in three of four runs).
    """

    def __init__(self, engine: Engine, container: str, cursor: Cursor | None, follow: bool) -> None:
        self._engine = engine
        self._container = container
        self._cursor = cursor
        self._follow = follow
        self._wire = Wire()

    def __iter__(self) -> Iterator[LogBatch]:
        """Batches to the end. Raises Unreachable; a container that is gone ends it at once."""
        if self._follow:
            yield from self._read(follow=True)
        yield from self._read(follow=False)

    def close(self) -> None:
        """End the reading, also one that waits in another thread."""
        self._wire.close()

    def _read(self, *, follow: bool) -> Iterator[LogBatch]:
        """One answer of the engine, from `_cursor` on, moving it."""
        decoder = LogDecoder(self._cursor)
        try:
            if not self._ask(decoder.since, follow):
                return
            while data := self._receive(follow):
                try:
                    batch = decoder.feed(data)
                except NotALog as error:
                    raise Unreachable(f"could not {_DOING}: {error}") from error
                if batch is not None:
                    self._cursor = batch.cursor
                    yield batch
            if self._wire.closed:
                return
            if decoder.unfinished:
                raise Unreachable(f"could not {_DOING}: it ended within a frame")
            if last := decoder.finish():
                self._cursor = last.cursor
                yield last
        finally:
            self._wire.release()

    def _ask(self, since: str, follow: bool) -> bool:
        """Open the answer; false when there is none to be had, which `observe` explains."""
        query = {"stdout": 1, "stderr": 1, "timestamps": 1, "follow": int(follow)}
        path = f"/containers/{self._container}/logs?{urlencode(query)}"
        with translated(_DOING):
            try:
                if self._wire.closed:
                    return False
                self._wire.open(self._engine, f"{path}&since={since}" if since else path)
            except EngineError as error:
                if error.status in (404, 409):  # gone, or being removed
                    return False
                raise
            except OSError:
                if self._wire.closed:
                    return False
                raise
        return True

    def _receive(self, follow: bool) -> bytes:
        """The next bytes, b"" at the end. A quiet job is no error, a silent engine is."""
        with translated(_DOING):
            while True:
                data = self._wire.read(self._engine.options.log_idle_seconds)
                if data is not None:
                    return data
                if not follow:
                    raise TimeoutError("the engine stopped sending")
                if not is_running(self._engine, self._container):
                    return b""
